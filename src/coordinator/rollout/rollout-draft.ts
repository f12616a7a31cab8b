import type { Effect } from '../effect.ts';
import { actionOf } from './action-of.ts';
import type { OfferFacts } from './offer-facts.ts';
import { groupOf, queueOf } from './offer-queue.ts';
import { extendHistory } from './rollout-history.ts';
import type { RolloutDocument, RolloutState } from './rollout-state.ts';
import { deadlineOf, type Presence } from './rollout-timer.ts';
import { isInFlight, type Reason, type TargetDevice } from './target-device.ts';
import { addTally, tallyOf } from './tally.ts';

/** More devices than that are looked at by walking over all behind the first of them. */
const maxAgain = 64;

/** The new state and the effects while one input is carried out; never outlives it. */
export class RolloutDraft {
  state: RolloutState;
  readonly effects: Effect[] = [];
  readonly facts: OfferFacts;
  readonly nowMs: number;

  constructor(state: RolloutState, facts: OfferFacts, nowMs: number) {
    this.state = state;
    this.facts = facts;
    this.nowMs = nowMs;
  }

  get document(): RolloutDocument {
    return this.state.document;
  }

  /** Each change of the document itself is a new revision. */
  revise(change: Partial<RolloutDocument>): void {
    const revision = this.document.revision + 1;
    const document = { ...this.document, ...change, revision };
    const history = extendHistory(this.document, document, this.nowMs);
    this.state = { ...this.state, document: { ...document, history } };
  }

  /** Replaces a target; counts, tallies, timers and the stored row follow. */
  put(position: number, changed: TargetDevice): void {
    const { state } = this;
    const before = state.devices.at(position);
    const after = withEntry(before, changed, this.nowMs);
    const counts = { ...this.document.counts };
    counts[before.state] = (counts[before.state] ?? 0) - 1;
    if (counts[before.state] === 0) delete counts[before.state];
    counts[after.state] = (counts[after.state] ?? 0) + 1;
    const tally = addTally(addTally(state.tallies[after.phase]!, tallyOf(before), -1), tallyOf(after));
    this.state = {
      ...state,
      devices: state.devices.with(position, after),
      tallies: state.tallies.with(after.phase, tally),
      document: { ...this.document, counts },
    };
    this.#countFlight(before, after);
    const online = state.online.at(position);
    if (online) this.#countReachable(after.phase, Number(after.state === 'queued') - Number(before.state === 'queued'));
    this.#box(position, after);
    this.armTimer(after);
    const { deviceId } = after;
    this.effects.push({ kind: 'member', member: { parentId: this.document.id, position, deviceId, document: after } });
  }

  /** Moves a target to a state. */
  move(position: number, state: TargetDevice['state'], reason?: Reason): void {
    const { wait: _, ...device } = this.state.devices.at(position);
    this.put(position, {
      ...device,
      state,
      sinceMs: this.nowMs,
      activeAtMs: this.nowMs,
      ...(reason === undefined ? {} : { reason }),
    });
  }

  /** Looks whether the device is there. */
  look(position: number): void {
    const device = this.state.devices.at(position);
    const before = this.state.online.at(position);
    const now = this.facts.connected(device.deviceId);
    if (before !== now) {
      this.state = { ...this.state, online: this.state.online.with(position, now) };
      if (device.state === 'queued') this.#countReachable(device.phase, now ? 1 : -1);
      if (!now && this.#countsLosses()) this.#countLoss(position, device);
    }
    this.lookAgainAt(position);
    this.armTimer(device);
  }

  /** The device that stands here may be offered again. */
  lookAgainAt(position: number): void {
    const { queues, lookFrom, again } = this.state;
    const queue = queueOf(queues, this.state.devices.at(position));
    if (position >= lookFrom[queue]! || again.includes(position)) return;
    this.state = { ...this.state, again: [...again, position] };
    if (again.length < maxAgain) return;
    for (const each of this.state.again) this.lookFrom(each);
    this.state = { ...this.state, again: [] };
  }

  /** It, and all behind it in its queue, may be offered again. */
  lookFrom(position: number): void {
    const { queues, lookFrom } = this.state;
    const queue = queueOf(queues, this.state.devices.at(position));
    if (position < lookFrom[queue]!) this.state = { ...this.state, lookFrom: lookFrom.with(queue, position) };
  }

  lookAgainAtAll(): void {
    this.state = { ...this.state, lookFrom: this.state.lookFrom.map(() => 0), again: [] };
  }

  presenceOf({ deviceId, activeAtMs }: TargetDevice): Presence {
    return new AskedPresence(this.facts, deviceId, Math.max(activeAtMs, this.state.loadedAtMs));
  }

  /** The time of the next timer never comes after that of this device. */
  armTimer(device: TargetDevice): void {
    const deadline = deadlineOf(this.document, device, this.presenceOf(device));
    if (deadline !== undefined && deadline.atMs < this.state.dueAtMs)
      this.state = { ...this.state, dueAtMs: deadline.atMs };
  }

  requestCancel(position: number, reason: string): void {
    const { document, facts, nowMs } = this;
    const target = this.state.devices.at(position);
    this.effects.push(...actionOf(document).cancel({ document, target, facts, nowMs, reason }));
  }

  #countFlight(before: TargetDevice, after: TargetDevice): void {
    const change = Number(isInFlight(after.state)) - Number(isInFlight(before.state));
    if (change === 0) return;
    const { inFlight, queues } = this.state;
    const group = groupOf(queues, after);
    this.state = { ...this.state, inFlight: inFlight.with(group, inFlight[group]! + change) };
  }

  #countsLosses(): boolean {
    return this.document.phases.some(({ gate }) => gate?.lostConnections !== undefined);
  }

  /** An update restarts the device: what it loses then says nothing. */
  #countLoss(position: number, device: TargetDevice): void {
    const { before, after } = device.lost ?? { before: 0, after: 0 };
    if (device.state === 'committed') this.put(position, { ...device, lost: { before, after: after + 1 } });
    else if (device.attempts === 0) this.put(position, { ...device, lost: { before: before + 1, after } });
  }

  #countReachable(phase: number, change: number): void {
    if (change === 0) return;
    const { reachable } = this.state;
    this.state = { ...this.state, reachable: reachable.with(phase, reachable[phase]! + change) };
  }

  #box(position: number, { state, notBeforeMs }: TargetDevice): void {
    const { boxed } = this.state;
    const until = state === 'queued' ? notBeforeMs : undefined;
    if (boxed.get(position) === until) return;
    const next = new Map(boxed);
    if (until === undefined) next.delete(position);
    else next.set(position, until);
    this.state = { ...this.state, boxed: next };
  }
}

/** A class, since an object that is written with its getters costs ten times as much. */
class AskedPresence implements Presence {
  readonly #facts: OfferFacts;
  readonly #deviceId: string;
  readonly #atLeastMs: number;

  constructor(facts: OfferFacts, deviceId: string, atLeastMs: number) {
    this.#facts = facts;
    this.#deviceId = deviceId;
    this.#atLeastMs = atLeastMs;
  }

  get connected(): boolean {
    return this.#facts.connected(this.#deviceId);
  }

  get sinceMs(): number {
    return this.#facts.sinceMs(this.#deviceId, this.#atLeastMs);
  }
}

/** An offer begins a new try. */
function withEntry(before: TargetDevice, after: TargetDevice, nowMs: number): TargetDevice {
  if (after.state === before.state) return after;
  return { ...after, entered: { ...(after.state === 'offered' ? {} : before.entered), [after.state]: nowMs } };
}
