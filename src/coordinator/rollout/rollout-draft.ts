import type { Effect } from '../effect.ts';
import type { OfferFacts } from './offer-rule.ts';
import { extendHistory } from './rollout-history.ts';
import type { RolloutDocument, RolloutState } from './rollout-state.ts';
import type { TargetDevice } from './target-device.ts';
import { addTally, tallyOf } from './tally.ts';

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

  /** Replaces a target; counts, tallies and the stored row follow. */
  put(position: number, changed: TargetDevice): void {
    const before = this.state.devices.at(position);
    const after = withEntry(before, changed, this.nowMs);
    const counts = { ...this.document.counts };
    counts[before.state] = (counts[before.state] ?? 0) - 1;
    if (counts[before.state] === 0) delete counts[before.state];
    counts[after.state] = (counts[after.state] ?? 0) + 1;
    const phase = this.state.tallies[after.phase]!;
    this.state = {
      ...this.state,
      devices: this.state.devices.with(position, after),
      tallies: this.state.tallies.with(after.phase, addTally(addTally(phase, tallyOf(before), -1), tallyOf(after))),
      document: { ...this.document, counts },
    };
    const { deviceId } = after;
    this.effects.push({ kind: 'member', member: { parentId: this.document.id, position, deviceId, document: after } });
  }

  /** Moves a target to a state. */
  move(position: number, state: TargetDevice['state'], reason?: { code: string; message: string }): void {
    const { wait: _, ...device } = this.state.devices.at(position);
    this.put(position, {
      ...device,
      state,
      sinceMs: this.nowMs,
      activeAtMs: this.nowMs,
      ...(reason === undefined ? {} : { reason }),
    });
  }

  lookAgainAt(position: number): void {
    if (position < this.state.scanFrom) this.state = { ...this.state, scanFrom: position };
  }

  requestCancel(deviceId: string, reason: string): void {
    const { id, policy } = this.document;
    this.effects.push({ kind: 'withdraw', deviceId, type: 'update.offer', key: id });
    this.effects.push({
      kind: 'request',
      deviceId,
      request: {
        type: 'update.cancel',
        key: id,
        payload: { rolloutId: id, reason: reason.slice(0, 256) },
        expiresAtMs: this.nowMs + policy.deadlineSeconds * 1000,
      },
    });
  }
}

/** An offer begins a new try. */
function withEntry(before: TargetDevice, after: TargetDevice, nowMs: number): TargetDevice {
  if (after.state === before.state) return after;
  return { ...after, entered: { ...(after.state === 'offered' ? {} : before.entered), [after.state]: nowMs } };
}
