import type { JobOutcome } from '../../protocol/event.ts';
import type { JobRun } from '../../protocol/request.ts';
import type { ActionEnd } from './action.ts';
import type { HoldRecord } from './hold.ts';

/** A job whose action, or the one that takes it back, is under way. */
export interface RunningJob {
  startedAtMs: number;
  controller: AbortController;
  cancelled: boolean;
  done: Promise<void>;
}

/** A job whose action has begun and whose restoring action has not. */
export interface HeldJob {
  run: JobRun;
  startedAtMs: number;
  record: HoldRecord;
  cancelTimer: () => void;
}

/** An action that was ended from outside was ended by its job's cancel, or by the end of the agent. */
export function outcomeOf(
  { outcome, reason }: Pick<ActionEnd, 'outcome' | 'reason'>,
  { cancelled }: Pick<RunningJob, 'cancelled'>,
): { outcome: JobOutcome; reason?: string } {
  if (outcome !== 'aborted') return { outcome, ...(reason === undefined ? {} : { reason }) };
  return cancelled ? { outcome: 'cancelled' } : { outcome: 'unknown', reason: 'agent stopped' };
}
