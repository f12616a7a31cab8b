/**
 * A rollout on a virtual clock: the coordinator's own reducers, and devices that say what a real agent says. What is due
 * next is taken from a queue; nothing waits.
 */
import type { Effect } from '../coordinator/effect.ts';
import type { OfferFacts } from '../coordinator/rollout/offer-facts.ts';
import { reduceRollout, type RolloutInput } from '../coordinator/rollout/reduce-rollout.ts';
import type { RolloutState } from '../coordinator/rollout/rollout-state.ts';
import { deadlineOf } from '../coordinator/rollout/rollout-timer.ts';
import { sumTallies } from '../coordinator/rollout/tally.ts';
import { isOpen, type TargetDevice } from '../coordinator/rollout/target-device.ts';
import type { FleetBehaviour } from './behaviour.ts';
import type { Chance } from './chance.ts';
import { DeviceLife, type DeviceDue, type Stage } from './device-life.ts';
import { EventQueue } from './event-queue.ts';
import type { FleetDevice } from './fleet.ts';
import { nextTickMs } from './next-tick.ts';
import { SimulatedDevice } from './simulated-device.ts';
import { stepWork } from './step-work.ts';
import { drawStretch } from './stretch.ts';

export interface SimulationOption {
  /** As planned; not opened yet. */
  rollout: RolloutState;
  fleet: readonly FleetDevice[];
  behaviour: FleetBehaviour;
  chance: Chance;
  /** Virtual time after which nobody waits any longer. */
  untilMs: number;
}

export interface Simulated {
  rollout: RolloutState;
  /** `unfinished`: it was still running when time was up, or when nothing could happen any more. */
  ending: 'completed' | 'halted' | 'aborted' | 'unfinished';
  endedAtMs: number;
  /** The most devices that were being updated at once, of each phase. */
  peaks: number[];
  peak: number;
  /** Inputs that the reducers took. */
  inputs: number;
}

type Due = DeviceDue | { kind: 'check'; device: SimulatedDevice } | { kind: 'approve' } | { kind: 'tick' };

/** What runs before the first update, where the fleet file does not say it. */
const previousUuid = '00000000-0000-4000-8000-000000000000';

export function simulateRollout(option: SimulationOption): Simulated {
  return new Simulation(option).run();
}

class Simulation {
  readonly #devices: Map<string, SimulatedDevice>;
  readonly #queue = new EventQueue<Due>();
  readonly #facts: OfferFacts;
  readonly #life: DeviceLife;
  readonly #takes: FleetBehaviour['takes'];
  readonly #chance: Chance;
  readonly #untilMs: number;
  #rollout: RolloutState;
  #nowMs: number;
  #tickAtMs = Infinity;
  /** The last phase that somebody was asked about. */
  #approvedPhase = -1;
  #inputs = 0;
  #peak = 0;
  readonly #peaks: number[];

  constructor({ rollout, fleet, behaviour, chance, untilMs }: SimulationOption) {
    this.#rollout = rollout;
    this.#nowMs = rollout.document.startedAtMs;
    this.#takes = behaviour.takes;
    this.#chance = chance;
    this.#untilMs = untilMs;
    this.#peaks = rollout.document.phases.map(() => 0);
    // The clock goes on: the devices see it as it is.
    const nowMs = (): number => this.#nowMs;
    const stage: Stage = {
      get nowMs() {
        return nowMs();
      },
      feed: (input) => this.#feed(input),
      later: (atMs, due) => this.#queue.put(atMs, due),
      isOpen: (device) => isOpen(this.#targetOf(device).state),
      watch: (device) => this.#arm(device),
    };
    const work = stepWork(rollout.document);
    this.#life = new DeviceLife(stage, { takes: behaviour.takes, chance, work });
    const targets = fleet.filter(({ id }) => rollout.index.has(id));
    this.#devices = new Map(
      targets.map((device) => [
        device.id,
        new SimulatedDevice(device, behaviour.of(device.id), previousUuid, this.#nowMs),
      ]),
    );
    this.#facts = {
      connected: (id) => this.#devices.get(id)?.isConnected === true,
      sinceMs: (id, atLeastMs) => Math.max(this.#devices.get(id)?.sinceMs ?? 0, atLeastMs),
      state: (id) => (this.#devices.has(id) ? 'accepted' : undefined),
      tag: (id, name) => this.#devices.get(id)?.tags[name],
      hasReverted: (id, bundleUuid) => this.#devices.get(id)?.quarantinedBundles.includes(bundleUuid) === true,
      running: (id) => this.#devices.get(id)?.told,
      delta: () => undefined,
      takesConduct: () => true,
      holder: () => undefined,
      takes: () => true,
      certificate: (id) => {
        const device = this.#devices.get(id);
        if (device?.isConnected !== true) return undefined;
        const { serial, issuedAtMs, sinceMs } = device;
        return { serial: `${id}-${serial}`, issuedAtMs, connectedAtMs: sinceMs };
      },
      hasAgent: () => false,
      agentUpdate: () => undefined,
      config: () => undefined,
    };
  }

  run(): Simulated {
    for (const device of this.#devices.values()) if (device.isAbsent) this.#life.scheduleLink(device);
    this.#feed({ kind: 'open' });
    while (!this.#isOver()) {
      const next = this.#queue.nextMs;
      if (next === undefined) break;
      if (next > this.#untilMs) {
        this.#nowMs = this.#untilMs;
        break;
      }
      const { atMs, item } = this.#queue.take()!;
      this.#nowMs = atMs;
      this.#do(item);
    }
    const { state } = this.#rollout.document;
    return {
      rollout: this.#rollout,
      ending: state === 'running' || state === 'paused' ? 'unfinished' : state,
      endedAtMs: this.#nowMs,
      peaks: this.#peaks,
      peak: this.#peak,
      inputs: this.#inputs,
    };
  }

  /** It has stopped, and so has every device that was being updated. */
  #isOver(): boolean {
    const { document, tallies } = this.#rollout;
    return document.state !== 'running' && sumTallies(tallies).inFlight === 0;
  }

  #do(due: Due): void {
    switch (due.kind) {
      case 'tick':
        this.#tickAtMs = Infinity;
        return this.#feed({ kind: 'tick' });
      case 'approve':
        return this.#feed({ kind: 'approve', by: 'simulation' });
      case 'check':
        due.device.isChecked = false;
        return this.#check(due.device);
      case 'link':
        return this.#life.changeLink(due.device);
      case 'inbox':
        return this.#life.read(due.device);
      case 'give-up':
        return this.#life.giveUp(due.device, due.attempt);
      case 'step':
        if (due.turn === due.device.turn) this.#life.advance(due.device);
    }
  }

  #feed(input: RolloutInput): void {
    this.#inputs += 1;
    const { state, effects } = reduceRollout(this.#rollout, input, this.#facts, this.#nowMs);
    this.#rollout = state;
    for (const effect of effects) this.#take(effect);
    this.#notePeak();
    this.#armTick();
    this.#armApproval();
  }

  #take(effect: Effect): void {
    if (effect.kind === 'member') {
      const device = this.#devices.get(effect.member.deviceId);
      if (device === undefined) return;
      this.#arm(device);
      if (device.behaviour.flapping !== undefined && !device.isFlapping && !device.isAbsent)
        this.#life.startFlapping(device);
      return;
    }
    if (effect.kind === 'quarantine-bundle') {
      const device = this.#devices.get(effect.deviceId)!;
      device.quarantinedBundles = [...device.quarantinedBundles, effect.bundleUuid];
      return;
    }
    if (effect.kind === 'withdraw') {
      const { inbox } = this.#devices.get(effect.deviceId)!;
      inbox.splice(0, inbox.length, ...inbox.filter(({ kind }) => kind !== 'offer'));
      return;
    }
    if (effect.kind === 'run-step' || effect.kind === 'cancel-step') {
      const device = this.#devices.get(effect.deviceId)!;
      device.inbox.push(
        effect.kind === 'run-step' ? { kind: 'step', attempt: effect.attempt } : { kind: 'cancel-step' },
      );
      return this.#queue.put(this.#nowMs, { kind: 'inbox', device });
    }
    if (effect.kind !== 'request') return;
    const device = this.#devices.get(effect.deviceId)!;
    const { request } = effect;
    if (request.type === 'update.offer') device.inbox.push({ kind: 'offer', offer: request.payload });
    else if (request.type === 'update.cancel') device.inbox.push({ kind: 'cancel', cancel: request.payload });
    this.#queue.put(this.#nowMs, { kind: 'inbox', device });
  }

  #targetOf(device: SimulatedDevice): TargetDevice {
    return this.#rollout.devices.at(this.#rollout.index.get(device.id)!);
  }

  #deadlineMs(device: SimulatedDevice): number | undefined {
    const presence = { connected: device.isConnected, sinceMs: device.sinceMs };
    return deadlineOf(this.#rollout.document, this.#targetOf(device), presence)?.atMs;
  }

  /** One look ahead for each device: at its time limit as it stands now. */
  #arm(device: SimulatedDevice): void {
    if (device.isChecked) return;
    const atMs = this.#deadlineMs(device);
    if (atMs === undefined) return;
    device.isChecked = true;
    this.#queue.put(Math.max(atMs, this.#nowMs), { kind: 'check', device });
  }

  #check(device: SimulatedDevice): void {
    const atMs = this.#deadlineMs(device);
    if (atMs !== undefined && atMs <= this.#nowMs) this.#feed({ kind: 'tick' });
    this.#arm(device);
  }

  #armTick(): void {
    const atMs = Math.max(nextTickMs(this.#rollout), this.#nowMs + 1);
    if (atMs >= this.#tickAtMs || !Number.isFinite(atMs)) return;
    this.#tickAtMs = atMs;
    this.#queue.put(atMs, { kind: 'tick' });
  }

  /** A person who is asked says yes, in the time that the model says. */
  #armApproval(): void {
    const { phases, currentPhase, state } = this.#rollout.document;
    if (state !== 'running' || phases[currentPhase]?.state !== 'approval' || this.#approvedPhase === currentPhase)
      return;
    this.#approvedPhase = currentPhase;
    const lengthMs = drawStretch(this.#takes.approval, this.#chance);
    if (Number.isFinite(lengthMs)) this.#queue.put(this.#nowMs + lengthMs, { kind: 'approve' });
  }

  #notePeak(): void {
    let all = 0;
    for (const [phase, { inFlight }] of this.#rollout.tallies.entries()) {
      all += inFlight;
      if (inFlight > (this.#peaks[phase] ?? 0)) this.#peaks[phase] = inFlight;
    }
    if (all > this.#peak) this.#peak = all;
  }
}
