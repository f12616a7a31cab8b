import type { JobRun } from '../../protocol/request.ts';
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
