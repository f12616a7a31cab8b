/**
 * A rollout on a virtual clock: the coordinator's own reducers, and devices that say what a real agent says. What is due
 * next is taken from a queue; nothing waits.
 */
import type { Effect } from '../coordinator/effect.ts';
import type { OfferFacts } from '../coordinator/rollout/offer-rule.ts';
import { reduceRollout, type RolloutInput } from '../coordinator/rollout/reduce-rollout.ts';
import type { RolloutState } from '../coordinator/rollout/rollout-state.ts';
import { deadlineOf } from '../coordinator/rollout/rollout-timer.ts';
import { sumTallies } from '../coordinator/rollout/tally.ts';
import { isOpen } from '../coordinator/rollout/target-device.ts';
import type { UpdateState } from '../protocol/event.ts';
import type { FleetBehaviour } from './behaviour.ts';
import type { Chance } from './chance.ts';
import { EventQueue } from './event-queue.ts';
import type { FleetDevice } from './fleet-file.ts';
import { SimulatedDevice, type Step } from './simulated-device.ts';
import { drawStretch, type Stretch } from './stretch.ts';

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

type Due =
  | { kind: 'step'; device: SimulatedDevice; turn: number }
  | { kind: 'link'; device: SimulatedDevice }
  | { kind: 'inbox'; device: SimulatedDevice }
  | { kind: 'check'; device: SimulatedDevice }
  | { kind: 'tick' };

/** What runs before the first update, where the fleet file does not say it. */
const previousUuid = '00000000-0000-4000-8000-000000000000';

export function simulateRollout(option: SimulationOption): Simulated {
  return new Simulation(option).run();
}

class Simulation {
  readonly #devices: Map<string, SimulatedDevice>;
  readonly #queue = new EventQueue<Due>();
  readonly #facts: OfferFacts;
  readonly #takes: FleetBehaviour['takes'];
  readonly #chance: Chance;
  readonly #untilMs: number;
  #rollout: RolloutState;
  #nowMs: number;
  #tickAtMs = Infinity;
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
    const targets = fleet.filter(({ id }) => rollout.index.has(id));
    this.#devices = new Map(
      targets.map((device) => [
        device.id,
        new SimulatedDevice(device, behaviour.of(device.id), previousUuid, this.#nowMs),
      ]),
    );
    this.#facts = {
      connected: (id) => this.#devices.get(id)?.isConnected === true,
      device: (id) => {
        const device = this.#devices.get(id);
        if (device === undefined) return undefined;
        const { told, quarantinedBundles, sinceMs } = device;
        return { state: 'accepted', running: told, quarantinedBundles, sinceMs };
      },
      delta: () => undefined,
      takesConduct: () => true,
      holder: () => undefined,
    };
  }

  run(): Simulated {
    for (const device of this.#devices.values()) this.#scheduleLink(device);
    this.#feed({ kind: 'open' });
    while (!this.#isOver()) {
      const next = this.#queue.nextMs;
      if (next === undefined || next > this.#untilMs) break;
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
      case 'check':
        due.device.isChecked = false;
        return this.#check(due.device);
      case 'link':
        return this.#changeLink(due.device);
      case 'inbox':
        return this.#read(due.device);
      case 'step':
        if (due.turn === due.device.turn) this.#advance(due.device);
    }
  }

  #feed(input: RolloutInput): void {
    this.#inputs += 1;
    const { state, effects } = reduceRollout(this.#rollout, input, this.#facts, this.#nowMs);
    this.#rollout = state;
    for (const effect of effects) this.#take(effect);
    this.#notePeak();
    this.#armTick();
  }

  #take(effect: Effect): void {
    if (effect.kind === 'member') {
      const device = this.#devices.get(effect.member.deviceId);
      if (device !== undefined) this.#arm(device);
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
    if (effect.kind !== 'request') return;
    const device = this.#devices.get(effect.deviceId)!;
    const { request } = effect;
    if (request.type === 'update.offer') device.inbox.push({ kind: 'offer', offer: request.payload });
    else if (request.type === 'update.cancel') device.inbox.push({ kind: 'cancel', cancel: request.payload });
    this.#queue.put(this.#nowMs, { kind: 'inbox', device });
  }

  #read(device: SimulatedDevice): void {
    if (!device.isConnected) return;
    for (const asked of device.inbox.splice(0)) {
      if (asked.kind === 'offer') {
        if (device.step === 'idle' && this.#nowMs < asked.offer.expiresAtMs) this.#begin(device, asked.offer);
      } else if (device.step === 'offered' || device.step === 'downloading') {
        this.#rest(device);
        this.#say(device, 'cancelled');
      }
    }
  }

  #begin(device: SimulatedDevice, offer: Parameters<SimulatedDevice['begin']>[0]): void {
    device.begin(offer);
    this.#say(device, 'offered');
    const { deferral } = device.behaviour;
    const putOffMs = deferral === undefined ? 0 : drawStretch(deferral, this.#chance);
    this.#enter(device, 'offered', this.#draw(this.#takes.answer) + putOffMs);
  }

  /** The step is over: what comes next, as in the agent's updater. */
  #advance(device: SimulatedDevice): void {
    const { failure } = device.behaviour;
    switch (device.step) {
      case 'idle':
        return;
      case 'offered':
        if (failure?.as === 'rejected') return this.#end(device, 'rejected');
        this.#say(device, 'downloading');
        this.#enter(device, 'downloading', this.#draw(this.#takes.download));
        if (!device.isConnected) this.#holdDownload(device);
        return;
      case 'downloading':
        this.#say(device, 'verified');
        this.#say(device, 'installing');
        return this.#enter(device, 'installing', this.#draw(this.#takes.install));
      case 'installing':
        if (failure?.as === 'failed') return this.#end(device, 'failed');
        device.installed(this.#nowMs);
        this.#say(device, 'rebooting');
        return this.#restart(device, 'rebooting');
      case 'rebooting':
        if (failure?.as === 'silent') return this.#rest(device);
        this.#boot(device);
        this.#say(device, 'testing');
        return this.#enter(device, 'testing', this.#draw(this.#takes.test));
      case 'testing':
        if (failure?.as === 'rolled-back') return this.#restart(device, 'reverting');
        return this.#end(device, 'committed');
      case 'reverting':
        this.#boot(device);
        return this.#end(device, 'rolled-back');
    }
  }

  #enter(device: SimulatedDevice, step: Step, lengthMs: number): void {
    device.step = step;
    device.turn += 1;
    device.stepEndsMs = this.#nowMs + lengthMs;
    device.leftMs = undefined;
    if (Number.isFinite(lengthMs)) this.#queue.put(device.stepEndsMs, { kind: 'step', device, turn: device.turn });
  }

  #rest(device: SimulatedDevice): void {
    this.#enter(device, 'idle', Infinity);
  }

  #end(device: SimulatedDevice, state: UpdateState): void {
    this.#rest(device);
    this.#say(device, state);
    if (device.inbox.length > 0) this.#queue.put(this.#nowMs, { kind: 'inbox', device });
  }

  #restart(device: SimulatedDevice, step: Step): void {
    const wasConnected = device.isConnected;
    device.isOn = false;
    if (wasConnected) this.#presence(device);
    this.#enter(device, step, this.#draw(this.#takes.reboot));
  }

  #boot(device: SimulatedDevice): void {
    device.boot(this.#nowMs);
    device.isOn = true;
    if (device.hasLink) this.#connected(device);
  }

  #connected(device: SimulatedDevice): void {
    device.told = device.running;
    this.#presence(device);
    for (const event of device.outbox.splice(0)) this.#feed({ kind: 'update', deviceId: device.id, event });
    this.#read(device);
  }

  #presence(device: SimulatedDevice): void {
    device.sinceMs = this.#nowMs;
    this.#feed({ kind: 'presence', deviceId: device.id });
    this.#arm(device);
  }

  #say(device: SimulatedDevice, state: UpdateState): void {
    const event = device.says(state, this.#nowMs);
    if (device.isConnected) this.#feed({ kind: 'update', deviceId: device.id, event });
    else device.outbox.push(event);
  }

  #scheduleLink(device: SimulatedDevice): void {
    const { awayFor, flapping } = device.behaviour;
    const stretch = device.isAbsent ? awayFor : device.hasLink ? flapping?.up : flapping?.down;
    if (stretch === undefined) return;
    const lengthMs = Math.max(1, drawStretch(stretch, this.#chance));
    if (Number.isFinite(lengthMs)) this.#queue.put(this.#nowMs + lengthMs, { kind: 'link', device });
  }

  #changeLink(device: SimulatedDevice): void {
    device.hasLink = !device.hasLink;
    device.isAbsent = false;
    if (device.isOn) {
      if (device.hasLink) {
        this.#connected(device);
        this.#resumeDownload(device);
      } else {
        this.#presence(device);
        this.#holdDownload(device);
      }
    }
    // A link that nobody looks at any more need not go on flapping.
    if (this.#isOpen(device) || device.step !== 'idle' || !device.hasLink) this.#scheduleLink(device);
  }

  #holdDownload(device: SimulatedDevice): void {
    if (device.step !== 'downloading' || device.leftMs !== undefined) return;
    device.leftMs = Math.max(0, device.stepEndsMs - this.#nowMs);
    device.turn += 1;
  }

  #resumeDownload(device: SimulatedDevice): void {
    if (device.step === 'downloading' && device.leftMs !== undefined) {
      this.#enter(device, 'downloading', device.leftMs);
    }
  }

  #isOpen(device: SimulatedDevice): boolean {
    return isOpen(this.#rollout.devices.at(this.#rollout.index.get(device.id)!).state);
  }

  #deadlineMs(device: SimulatedDevice): number | undefined {
    const target = this.#rollout.devices.at(this.#rollout.index.get(device.id)!);
    const presence = { connected: device.isConnected, sinceMs: device.sinceMs };
    return deadlineOf(this.#rollout.document, target, presence)?.atMs;
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

  /** What only time brings about. */
  #armTick(): void {
    const { phases, currentPhase, state } = this.#rollout.document;
    const phase = phases[currentPhase];
    if (state !== 'running' || phase?.state !== 'soaking' || phase.soakingSinceMs === undefined) return;
    const atMs = phase.soakingSinceMs + phase.soakSeconds * 1000;
    if (atMs >= this.#tickAtMs) return;
    this.#tickAtMs = atMs;
    this.#queue.put(Math.max(atMs, this.#nowMs), { kind: 'tick' });
  }

  #notePeak(): void {
    let all = 0;
    for (const [phase, { inFlight }] of this.#rollout.tallies.entries()) {
      all += inFlight;
      if (inFlight > (this.#peaks[phase] ?? 0)) this.#peaks[phase] = inFlight;
    }
    if (all > this.#peak) this.#peak = all;
  }

  #draw(stretch: Stretch): number {
    return drawStretch(stretch, this.#chance);
  }
}
