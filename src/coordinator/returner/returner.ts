import type { DeviceResult, Job } from '../../client/contract/job.ts';

/** What leaves the fleet for each device of a job that has ended. */
export interface ReturnedResult {
  version: 1;
  fleetId: string;
  /** The same for each attempt at this result, and for no other: who has seen it may drop it. */
  idempotencyKey: string;
  job: Pick<Job, 'id' | 'selector' | 'action' | 'submittedBy' | 'submittedAtMs'> & { schedule?: string };
  result: DeviceResult;
}

/** Brings results somewhere. */
export interface Returner {
  /** Resolves once the other side has it for good. @throws NotReturned */
  deliver(result: ReturnedResult, signal: AbortSignal): Promise<void>;
  /** What was delivered is on the disk, where that is ours. */
  sync?(): void;
  close?(): void;
}

/** Why a result is not there; `retry`: it may be tried again. */
export class NotReturned extends Error {
  readonly retry: boolean;

  constructor(message: string, { retry }: { retry: boolean }) {
    super(message);
    this.name = 'NotReturned';
    this.retry = retry;
  }
}
