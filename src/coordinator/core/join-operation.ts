/** Devices that match a continuous rollout after it was planned: they were let in, tagged, or have changed. */
import { parseSelector } from '../../selector/index.ts';
import { selectSet } from '../../selector/plan/index.ts';
import { pinTag } from '../rollout/offer-rule.ts';
import { placeLate } from '../rollout/plan-rollout.ts';
import type { RolloutState } from '../rollout/rollout-state.ts';
import type { CoreState } from './core-state.ts';
import { groupSource } from './group-operation.ts';
import { heldBy, stepRollout } from './rollout-operation.ts';
import type { Turn } from './turn.ts';

/** It looks at the whole fleet: not at every tick. */
export const joinEveryMs = 2_000;

/** Asks each continuous rollout who matches now. One that another rollout has joins when that has ended with it. */
export function joinRollouts(turn: Turn): void {
  const { state, nowMs } = turn;
  for (const [id, rollout] of state.rollouts) {
    const { policy, state: now } = rollout.document;
    if (policy.continuous !== true || now === 'aborted' || now === 'completed') continue;
    const devices = matching(state, rollout, nowMs).flatMap((deviceId) => {
      const isFree = heldBy(state, deviceId) === undefined && state.devices.get(deviceId)?.tags[pinTag] === undefined;
      const placed = isFree
        ? placeLate(rollout.document, deviceId, { facts: (other) => state.devices.get(other)! })
        : undefined;
      return placed === undefined ? [] : [placed];
    });
    if (devices.length > 0) stepRollout(turn, id, { kind: 'join', devices });
  }
}

function matching(state: CoreState, { document, index: known }: RolloutState, nowMs: number): string[] {
  const { index, accepted: within } = state.registry;
  const ids = (selector: string) =>
    index.idsOf(selectSet(index, parseSelector(selector, groupSource(state)).compiled, { within, nowMs }));
  let found: string[];
  let excluded: ReadonlySet<string>;
  try {
    found = ids(document.selector).filter((deviceId) => !known.has(deviceId));
    excluded = new Set(document.policy.exclude === undefined || found.length === 0 ? [] : ids(document.policy.exclude));
  } catch {
    return []; // a group that it names was removed: nobody matches by it
  }
  return found.filter((deviceId) => !excluded.has(deviceId));
}
