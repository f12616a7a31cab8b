import type { Rollout } from '../client/contract/index.ts';
import { ExitCode } from './exit-code.ts';

/** The exit code of a rollout that was waited for: 0 only when it completed and every target is proven. */
export function rolloutExitCode(rollout: Pick<Rollout, 'state' | 'counts'>): ExitCode {
  const count = (...states: string[]) => states.reduce((sum, state) => sum + (rollout.counts[state] ?? 0), 0);
  if (count('timed-out', 'unknown') > 0) return ExitCode.someUndecided;
  if (rollout.state !== 'completed') return ExitCode.someFailed;
  return count('failed', 'rolled-back', 'rejected', 'cancelled') > 0 ? ExitCode.someFailed : ExitCode.ok;
}
