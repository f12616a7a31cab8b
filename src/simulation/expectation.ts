import type { Trial } from './simulate-policy.ts';

/** What a product's test expects of a policy. Every limit includes its number. */
export interface Expectation {
  outcome?: Trial['ending'];
  /** From 1. */
  haltsInPhase?: number;
  /** A part of the reason of the halt. */
  reason?: string;
  /** Devices that were offered the release. */
  touched?: Range;
  succeeded?: Range;
  failed?: Range;
  inFlight?: Range;
  /** Of virtual time. */
  seconds?: Range;
  /** Exactly so many devices end in each of these states. */
  counts?: Record<string, number>;
  /** Codes of causes that there must be. */
  causes?: string[];
}

export interface Range {
  min?: number;
  max?: number;
}

export interface Miss {
  what: string;
  expected: string;
  seen: string;
}

/** What is not as expected; empty: the test is passed. */
export function judgeTrial(expectation: Expectation, trial: Trial): Miss[] {
  const { report, ending } = trial;
  const { rollout } = report;
  const misses: Miss[] = [];
  const told = `${ending}${rollout.reason === undefined ? '' : `: ${rollout.reason}`}`;
  const miss = (what: string, expected: string, seen: string): void => void misses.push({ what, expected, seen });
  const { outcome, haltsInPhase, reason, counts = {}, causes = [] } = expectation;
  if (outcome !== undefined && ending !== outcome) miss('outcome', outcome, told);
  if (haltsInPhase !== undefined && (ending !== 'halted' || rollout.currentPhase !== haltsInPhase - 1)) {
    const where = ending === 'halted' ? `halted in phase ${rollout.currentPhase + 1}: ${rollout.reason ?? ''}` : told;
    miss('haltsInPhase', `halted in phase ${haltsInPhase}`, where);
  }
  if (reason !== undefined && !(rollout.reason ?? '').includes(reason))
    miss('reason', reason, rollout.reason ?? 'none');
  const measured = {
    touched: report.touched,
    succeeded: report.succeeded,
    failed: report.failed,
    inFlight: trial.peakInFlight,
    seconds: trial.durationSeconds,
  };
  for (const [what, seen] of Object.entries(measured)) {
    const range = expectation[what as keyof typeof measured];
    if (range === undefined || (seen >= (range.min ?? -Infinity) && seen <= (range.max ?? Infinity))) continue;
    miss(what, describeRange(range), String(seen));
  }
  for (const [state, expected] of Object.entries(counts)) {
    const seen = rollout.counts[state] ?? 0;
    if (seen !== expected) miss(`counts.${state}`, String(expected), String(seen));
  }
  const codes = report.causes.map(({ code }) => code);
  for (const code of causes) if (!codes.includes(code)) miss('causes', code, codes.join(', ') || 'none');
  return misses;
}

function describeRange({ min, max }: Range): string {
  if (min !== undefined && min === max) return `exactly ${min}`;
  const parts = [min === undefined ? [] : [`at least ${min}`], max === undefined ? [] : [`at most ${max}`]];
  return parts.flat().join(', ');
}
