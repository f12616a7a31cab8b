import type { RolloutMilestone } from '../../client/contract/rollout-report.ts';
import type { RolloutDocument } from './rollout-state.ts';

/** A rollout that goes on for years flickers between running and soaking: what it keeps has an end. */
const maxMilestones = 1_000;

type Watched = Pick<RolloutDocument, 'state' | 'phases' | 'reason' | 'history'>;

/** The history after a change of the document; the same one when nothing of note has changed. */
export function extendHistory(before: Watched, after: Watched, nowMs: number): readonly RolloutMilestone[] {
  const known = before.history ?? [];
  const news: RolloutMilestone[] = after.phases.flatMap(({ state }, phase) =>
    state === before.phases[phase]?.state ? [] : [{ atMs: nowMs, phase, state }],
  );
  if (after.state !== before.state) {
    const reason = after.reason === undefined ? {} : { reason: after.reason };
    news.push({ atMs: nowMs, state: after.state, ...reason });
  }
  return news.length === 0 ? known : [...known, ...news].slice(-maxMilestones);
}
