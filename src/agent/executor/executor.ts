import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../../clock.ts';
import { jsonRow, type DeviceLog } from '../../eventlog/index.ts';
import type { Log } from '../../log.ts';
import type { JobEvent, JobOutcome } from '../../protocol/event.ts';
import { Lane } from '../../protocol/lane.ts';
import type { JobCancel, JobStart } from '../../protocol/request.ts';
import type { Link } from '../link/port.ts';
import { runBounded } from '../machine/run-bounded.ts';
import { createJobTable, type JobTable } from '../state/job-table.ts';
import { fitJobEvent, jobResult } from './job-event.ts';
import { policyObjection, type JobPolicy } from './job-policy.ts';

export interface ExecutorOption {
  database: DatabaseSync;
  log: DeviceLog;
  link: Pick<Link, 'wake' | 'onChange' | 'coordinatorNowMs'>;
  clock: Clock;
  logger: Log;
  policy: JobPolicy;
}

interface RunningJob {
  controller: AbortController;
  cancelled: boolean;
  done: Promise<void>;
}

/** Runs the jobs of the coordinator, each at most once, and puts each outcome into the log with the job's row. */
export class Executor {
  readonly #option: ExecutorOption;
  readonly #table: JobTable;
  readonly #running = new Map<string, RunningJob>();
  #unsubscribe: (() => void) | undefined;
  #stopped = false;

  constructor(option: ExecutorOption) {
    this.#option = option;
    this.#table = createJobTable(option.database);
  }

  /** Owns up to the jobs that an earlier process started and never saw end, then goes on with those that wait. */
  start(): void {
    for (const { jobId, startedAtMs } of this.#table.started()) {
      this.#finish(jobId, 'unknown', { reason: 'the agent or the machine stopped while it ran', startedAtMs });
    }
    // Expiry is judged by the coordinator's time, which an agent that has just started does not know yet.
    // Not within the link's own turn: filling appends to the log that it is about to read.
    this.#unsubscribe = this.#option.link.onChange(() => void setImmediate(() => this.#fill()));
    this.#fill();
  }

  /** Ends what runs; each such job is `unknown`, because nobody saw how far it got. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unsubscribe?.();
    const running = [...this.#running.values()];
    for (const { controller } of running) controller.abort();
    await Promise.all(running.map(({ done }) => done));
  }

  /** `settle` runs in the same transaction as the job's row. A job id that was ever seen is ignored. */
  accept(job: JobStart, settle: () => void): void {
    this.#within(() => {
      settle();
      if (this.#table.state(job.jobId) !== undefined) return;
      const objection = policyObjection(this.#option.policy, job);
      if (objection === undefined) this.#table.queue(job);
      else this.#finish(job.jobId, 'rejected', { reason: objection });
    });
    this.#option.link.wake();
    this.#fill();
  }

  /** The request itself can't be taken: it never ran, and never will. */
  abandon({ jobId }: JobStart, reason: string): void {
    if (this.#table.state(jobId) !== undefined) return;
    this.#finish(jobId, 'rejected', { reason: `the agent could not take it: ${reason}` });
    this.#option.link.wake();
  }

  cancel({ jobId }: JobCancel, settle: () => void): void {
    this.#within(() => {
      settle();
      const state = this.#table.state(jobId);
      // Also for one that never came: a start that comes later is a duplicate of what has ended.
      if (state === undefined || state === 'queued') this.#finish(jobId, 'cancelled');
    });
    const running = this.#running.get(jobId);
    if (running) {
      running.cancelled = true;
      running.controller.abort();
    }
    this.#option.link.wake();
  }

  /** Starts what waits, as far as the limit allows. */
  #fill(): void {
    while (!this.#stopped && this.#running.size < this.#option.policy.maxConcurrent) {
      const nowMs = this.#option.link.coordinatorNowMs();
      const job = nowMs === undefined ? undefined : this.#table.nextQueued();
      if (nowMs === undefined || job === undefined) return;
      if (nowMs >= job.expiresAtMs) this.#finish(job.jobId, 'expired');
      else this.#launch(job);
      this.#option.link.wake();
    }
  }

  #launch(job: JobStart): void {
    const { clock, logger } = this.#option;
    const startedAtMs = clock.nowMs();
    // On disk before the process exists: whatever happens now, it is never run a second time.
    this.#within(() => {
      this.#table.markStarted(job.jobId, startedAtMs);
      this.#append({ jobId: job.jobId, state: 'started', startedAtMs });
    });
    logger.info({ job: job.jobId, program: job.argv[0], by: job.submittedBy }, 'job started');
    const running: RunningJob = { controller: new AbortController(), cancelled: false, done: Promise.resolve() };
    this.#running.set(job.jobId, running);
    running.done = this.#run(job, running, startedAtMs);
  }

  async #run(job: JobStart, running: RunningJob, startedAtMs: number): Promise<void> {
    const { policy, link } = this.#option;
    const result = await runBounded({
      argv: job.argv,
      shell: job.shell,
      timeoutMs: Math.min(job.timeoutSeconds, policy.timeoutSeconds) * 1_000,
      maxOutputBytes: Math.min(job.maxOutputBytes, policy.maxOutputBytes),
      signal: running.controller.signal,
      environment: { FLOTILLA_JOB_ID: job.jobId },
    });
    const { outcome, reason } = jobResult(result, running.cancelled ? 'cancelled' : 'unknown');
    const { exitCode, signal, stdout, stderr, truncatedBytes } = result;
    this.#running.delete(job.jobId);
    this.#finish(job.jobId, outcome, {
      startedAtMs,
      stdout,
      stderr,
      truncatedBytes,
      ...(exitCode === undefined ? {} : { exitCode }),
      ...(signal === undefined ? {} : { signal }),
      ...(reason === undefined ? {} : { reason }),
    });
    link.wake();
    this.#fill();
  }

  #finish(jobId: string, outcome: JobOutcome, detail: Partial<JobEvent> = {}): void {
    this.#within(() => {
      this.#table.markFinished(jobId, outcome);
      this.#append(
        fitJobEvent({ jobId, state: 'finished', outcome, finishedAtMs: this.#option.clock.nowMs(), ...detail }),
      );
    });
    this.#option.logger.info({ job: jobId, outcome, reason: detail.reason }, 'job finished');
  }

  #append(event: JobEvent): void {
    const timestampMs = this.#option.clock.nowMs();
    this.#option.log.append(
      Lane.control,
      jsonRow({ type: 'flotilla.job', key: event.jobId, timestampMs, value: event }),
    );
  }

  #within<Result>(work: () => Result): Result {
    return this.#option.log.transact(work);
  }
}
