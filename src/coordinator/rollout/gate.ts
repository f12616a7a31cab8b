/**
 * The gates of a rollout: when it must stop, and when the next phase may begin. Limits that stop it are `>=`, what a
 * gate asks for is `>=` of successes and `<=` of failures; every share is of the devices that were offered it and have
 * ended, without those that were cancelled.
 */
import type { PhaseState, Policy, RolloutDocument, RolloutState } from './rollout-state.ts';
import { sumTallies, type Tally } from './tally.ts';

/** The failures that are allowed in the phase that runs now are below this. */
export function failureLimit(document: Pick<RolloutDocument, 'currentPhase' | 'phases' | 'policy'>): number {
  const { policy, phases, currentPhase } = document;
  return currentPhase === 0 && phases.length > 1 ? policy.canaryMaxFailures : policy.maxFailures;
}

/** Why the rollout must stop, or undefined. */
export function haltReason(state: RolloutState): string | undefined {
  const { forgiven, policy } = state.document;
  const now = sumTallies(state.tallies);
  const failures = now.failures - forgiven.failures;
  const ended = now.ended - forgiven.ended;
  const limit = failureLimit(state.document);
  if (failures >= limit) return `${failures} of ${ended} ended devices failed; the limit is ${limit}`;
  const ofPhase = phaseFailure(state);
  if (ofPhase !== undefined) return ofPhase;
  if (ended < policy.minSample || failures === 0) return undefined;
  const share = failures / ended;
  if (share < policy.maxFailureShare) return undefined;
  return `${failures} of ${ended} ended devices failed (${percent(share)}); the limit is ${percent(policy.maxFailureShare)}`;
}

/** A phase whose own gate allows fewer failures than it has; phases that are over are still looked at. */
function phaseFailure({ document: { phases, currentPhase }, tallies }: RolloutState): string | undefined {
  for (let number = 0; number <= currentPhase && number < phases.length; number += 1) {
    const { gate, forgiven } = phases[number]!;
    if (gate?.failure === undefined) continue;
    const failures = tallies[number]!.failures - (forgiven?.failures ?? 0);
    const ended = tallies[number]!.ended - (forgiven?.ended ?? 0);
    if (failures === 0 || ended < (gate.minSample ?? 1) || failures / ended <= gate.failure) continue;
    return `phase ${number + 1}: ${failures} of ${ended} ended devices failed (${percent(failures / ended)}); at most ${percent(gate.failure)} may`;
  }
  return undefined;
}

export type PhaseVerdict =
  | { kind: 'running'; detail: string }
  | { kind: 'soaking'; untilMs: number; detail: string }
  /** Somebody has to say yes. */
  | { kind: 'approval'; detail: string }
  | { kind: 'passed'; detail: string }
  /** It can't pass any more. */
  | { kind: 'failed'; detail: string };

/**
 * May the next phase begin? Every device of this one that can be reached has ended, its gate is passed (without one, at
 * least one device succeeded), and the successes have stood for the soak time. Those that are away keep waiting and
 * hold nobody up. The last phase is over when all its devices have ended.
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
  if (isLast && sum.queued > 0) return { kind: 'running', detail: `${sum.queued} of ${sum.targets} devices are away` };
  const short = judgeGate(phase, sum, isLast);
  if (short !== undefined) return short;
  if (isLast) return { kind: 'passed', detail: `all ${sum.targets} devices have ended` };
  const untilMs = (phase.soakingSinceMs ?? nowMs) + phase.soakSeconds * 1000;
  if (nowMs < untilMs) return { kind: 'soaking', untilMs, detail: `soaks until ${new Date(untilMs).toISOString()}` };
  if (phase.gate?.approval !== undefined && phase.approvedBy === undefined) {
    return { kind: 'approval', detail: `waits for the approval of ${phase.gate.approval}` };
  }
  return { kind: 'passed', detail: `${sum.successes} of ${sum.targets} succeeded` };
}

/** What its successes lack; undefined: nothing. */
function judgeGate({ gate }: PhaseState, sum: Tally, isLast: boolean): PhaseVerdict | undefined {
  const { success, minSample = 1 } = gate ?? {};
  const { queued, ended, proven } = sum;
  const away = `${queued} devices are away`;
  if (success === undefined && isLast) return undefined;
  // Nobody had to be offered it: there is nothing to prove.
  if (sum.successes > 0 && ended + queued === 0) return undefined;
  if (gate?.minSample !== undefined && ended < minSample) {
    const detail = `${ended} of at least ${minSample} devices have ended`;
    return queued > 0 ? { kind: 'running', detail: `${detail}, ${away}` } : { kind: 'failed', detail };
  }
  if (success === undefined) {
    if (sum.successes > 0) return undefined;
    if (queued > 0) return { kind: 'running', detail: `no success yet, ${away}` };
    return { kind: 'failed', detail: `the phase of ${sum.targets} ended without one success` };
  }
  if (ended > 0 && proven / ended >= success) return undefined;
  const detail = `${proven} of ${ended} ended devices are proven (${percent(ended === 0 ? 0 : proven / ended)}); at least ${percent(success)} must be`;
  // Even if all that are away succeed?
  if (queued > 0 && (proven + queued) / (ended + queued) >= success)
    return { kind: 'running', detail: `${detail}, ${away}` };
  return { kind: 'failed', detail };
}

/** Policy of a request without numbers: any failure halts the first phase, later 5 % of the targets do. */
export const defaultPolicy = {
  canaryMaxFailures: 1,
  maxFailureShare: 0.05,
  minSample: 20,
  maxInFlight: 50,
  deadlineSeconds: 86_400,
} as const satisfies Partial<Policy>;

export function defaultMaxFailures(targets: number): number {
  return Math.max(1, Math.ceil(targets * defaultPolicy.maxFailureShare));
}

function percent(share: number): string {
  return `${Math.round(share * 1000) / 10} %`;
}
