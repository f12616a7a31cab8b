import { graceMs } from '../coordinator/job/job-state.ts';
import { isJobAction } from '../coordinator/rollout/plan-action.ts';
import type { RolloutDocument } from '../coordinator/rollout/rollout-state.ts';
import type { StepReport } from '../coordinator/rollout/step-report.ts';

/** What an action that is no update means to a simulated device, and to the machine of the coordinator that carries it out. */
export interface StepWork {
  /** By the device's result, or by a new session. */
  proof: 'word' | 'session';
  /** It can be stopped while it runs. */
  canStop: boolean;
  /** After so long one that hangs is ended, and after so long nobody waits for its result. */
  hangsMs: number;
  givesUpMs: number;
  failure: Pick<StepReport, 'again'>;
}

/** Undefined: the rollout brings a release. */
export function stepWork({ action, terms, policy }: RolloutDocument): StepWork | undefined {
  if (action === undefined) return undefined;
  // The rollout's own timers end it.
  if (!isJobAction(action)) {
    const proof = action.kind === 'certificate' ? 'session' : 'word';
    return { proof, canStop: false, hangsMs: Infinity, givesUpMs: Infinity, failure: { again: true } };
  }
  const hangsMs = (terms?.timeoutSeconds ?? 0) * 1000 + graceMs;
  const isJob = action.kind === 'job';
  return {
    proof: 'word',
    canStop: isJob,
    hangsMs,
    givesUpMs: policy.deadlineSeconds * 1000 + hangsMs,
    failure: isJob ? { again: true } : {},
  };
}
