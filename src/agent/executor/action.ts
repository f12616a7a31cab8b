import type { JobEvent, JobOutcome, OutputStream } from '../../protocol/event.ts';
import type { JobAction } from '../../protocol/job-action.ts';

/** What an action is given to keep to. */
export interface ActionContext {
  jobId: string;
  timeoutMs: number;
  maxOutputBytes: number;
  /** What the owner's policy says of another form of this action: of the place that a path leads to. */
  objection(action: JobAction): string | undefined;
  /** Told of what the action writes, as it does. */
  onOutput?: (stream: OutputStream, chunk: Buffer) => void;
  /** Fires when the job is cancelled, or the agent stops. */
  signal: AbortSignal;
}

/** How it ended; `aborted` when the signal has ended it, which means something only the executor knows. */
export type ActionEnd = Pick<
  JobEvent,
  'exitCode' | 'signal' | 'stdout' | 'stderr' | 'truncatedBytes' | 'reason' | 'file'
> & {
  outcome: JobOutcome | 'aborted';
};

/** Never throws for what the action does. */
export type Perform = (action: JobAction, context: ActionContext) => Promise<ActionEnd>;
