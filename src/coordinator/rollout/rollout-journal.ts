/**
 * What a rollout went by, step by step: each input that changed it, with those answers of the registry and of the presence
 * that a replay (rollout-replay.ts) would not give by itself. With the plan it gives the same rollout again, whatever is
 * added to the rules. The targets are not told a second time: they stand in their own rows, and what a plan makes of one
 * does not change there.
 */
import type { RolloutPlanRow, RolloutStepRow } from '../../client/contract/rollout-recording.ts';
import type { FactListener } from './fact-listener.ts';
import type { RolloutInput } from './reduce-rollout.ts';
import { newTarget, type TargetDevice } from './target-device.ts';
import type { RolloutDocument, RolloutState } from './rollout-state.ts';

/** A step as it is stored; undefined when the input has changed nothing. */
export function journalStep(
  before: RolloutState,
  after: RolloutState,
  input: RolloutInput,
  { heard, nowMs }: { heard: FactListener; nowMs: number },
): RolloutStepRow | undefined {
  // A rollout that was loaded looks at everybody again, whether that changes anything or not.
  if (input.kind !== 'open' && isSame(before, after)) return undefined;
  return { kind: 'step', atMs: nowMs, input, ...heard.news() };
}

/** The plan as it is stored: how many targets it had. */
export interface JournalPlan {
  kind: 'plan';
  document: RolloutDocument;
  targets: number;
}

export function journalPlan({ document, devices }: RolloutState): JournalPlan {
  return { kind: 'plan', document, targets: devices.length };
}

/** The plan with its targets, taken from their rows as they are now. */
export function planRow({ document, targets }: JournalPlan, devices: readonly TargetDevice[]): RolloutPlanRow {
  const planned = devices.slice(0, targets).map((device) => newTarget(device, document.startedAtMs));
  return { kind: 'plan', document, devices: planned };
}

function isSame(before: RolloutState, after: RolloutState): boolean {
  return (Object.keys(after) as (keyof RolloutState)[]).every((name) => before[name] === after[name]);
}
