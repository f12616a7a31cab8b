import type { Job } from '../client/contract/index.ts';
import { ExitCode } from './exit-code.ts';

/**
 * The exit code of a finished job, by its worst outcome: not knowing (timed-out, expired, unknown: 5) is worse than
 * having failed (failed, rejected, cancelled: 4), and only "all succeeded" is 0. Nobody matched is 3.
 */
export function jobExitCode(job: Pick<Job, 'matched' | 'counts'>): ExitCode {
  const count = (...outcomes: string[]) => outcomes.reduce((sum, outcome) => sum + (job.counts[outcome] ?? 0), 0);
  if (job.matched === 0) return ExitCode.noneMatched;
  if (count('timed-out', 'expired', 'unknown') > 0) return ExitCode.someUndecided;
  return count('succeeded') === job.matched ? ExitCode.ok : ExitCode.someFailed;
}
