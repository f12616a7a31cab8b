/**
 * The gates of a rollout: when it must stop, and when the next phase may begin. Every limit is `>=`.
 */
import type { PhaseState, Policy, RolloutDocument, RolloutState } from './rollout-state.ts';
import { sumTallies, type Tally } from './tally.ts';

/** The failures that are allowed in the phase that runs now are below this. */
export function failureLimit(document: Pick<RolloutDocument, 'currentPhase' | 'phases' | 'policy'>): number {
  const { policy, phases, currentPhase } = document;
  return currentPhase === 0 && phases.length > 1 ? policy.canaryMaxFailures : policy.maxFailures;
}

/** Why the rollout must stop, or undefined. The share is of the devices that were offered the release and have ended. */
export function haltReason(state: RolloutState): string | undefined {
  const { forgiven, policy } = state.document;
  const now = sumTallies(state.tallies);
  const failures = now.failures - forgiven.failures;
  const ended = now.ended - forgiven.ended;
  const limit = failureLimit(state.document);
  if (failures >= limit) return `${failures} of ${ended} ended devices failed; the limit is ${limit}`;
  if (ended < policy.minSample || failures === 0) return undefined;
  const share = failures / ended;
  if (share < policy.maxFailureShare) return undefined;
  return `${failures} of ${ended} ended devices failed (${percent(share)}); the limit is ${percent(policy.maxFailureShare)}`;
}

export type PhaseVerdict =
  | { kind: 'running'; detail: string }
  | { kind: 'soaking'; untilMs: number; detail: string }
  | { kind: 'passed'; detail: string }
  /** It can't pass any more. */
  | { kind: 'failed'; detail: string };

/**
 * May the next phase begin? Every device of this one that can be reached has ended, at least one of them succeeded, and
 * the successes have stood for the soak time. Those that are away keep waiting and hold nobody up.
 */
export function judgePhase(
  phase: PhaseState,
  sum: Tally,
  queuedConnected: number,
  isLast: boolean,
  nowMs: number,
): PhaseVerdict {
  const busy = sum.inFlight + queuedConnected + sum.waiting;
  if (busy > 0) return { kind: 'running', detail: `${busy} of ${sum.targets} devices have not ended` };
  if (isLast) {
    if (sum.queued > 0) return { kind: 'running', detail: `${sum.queued} of ${sum.targets} devices are away` };
    return { kind: 'passed', detail: `all ${sum.targets} devices have ended` };
  }
  if (sum.successes === 0) {
    if (sum.queued > 0) return { kind: 'running', detail: `no success yet, ${sum.queued} devices are away` };
    return { kind: 'failed', detail: `the phase of ${sum.targets} ended without one success` };
  }
  const untilMs = (phase.soakingSinceMs ?? nowMs) + phase.soakSeconds * 1000;
  if (nowMs < untilMs) return { kind: 'soaking', untilMs, detail: `soaks until ${new Date(untilMs).toISOString()}` };
  return { kind: 'passed', detail: `${sum.successes} of ${sum.targets} succeeded` };
}

/** Policy of a request without numbers: any failure halts the first phase, later 5 % of the targets do. */
export const defaultPolicy = {
  canaryMaxFailures: 1,
  maxFailureShare: 0.05,
  minSample: 20,
  maxInFlight: 50,
  deadlineSeconds: 86_400,
} as const satisfies Omit<Policy, 'maxFailures'>;

export function defaultMaxFailures(targets: number): number {
  return Math.max(1, Math.ceil(targets * defaultPolicy.maxFailureShare));
}

function percent(share: number): string {
  return `${Math.round(share * 1000) / 10} %`;
}
