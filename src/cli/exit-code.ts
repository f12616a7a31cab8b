import type { Fault } from '../error.ts';

/** Exit codes, everywhere. A script may rely on each. */
export const ExitCode = {
  ok: 0,
  ours: 1,
  usage: 2,
  noneMatched: 3,
  someFailed: 4,
  someUndecided: 5, // timed out, expired or unknown
  refused: 6,
  unreachable: 7,
  forbidden: 8,
  interrupted: 130,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

const byFault: Record<Fault, ExitCode> = {
  usage: ExitCode.usage,
  'none-matched': ExitCode.noneMatched,
  failed: ExitCode.someFailed,
  undecided: ExitCode.someUndecided,
  refused: ExitCode.refused,
  unreachable: ExitCode.unreachable,
  forbidden: ExitCode.forbidden,
  ours: ExitCode.ours,
};

export function exitCodeOf(fault: Fault): ExitCode {
  return byFault[fault];
}
