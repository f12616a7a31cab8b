import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../../clock.ts';
import { jsonRow, type DeviceLog } from '../../eventlog/index.ts';
import type { Log } from '../../log.ts';
import type { BuiltinEventType, JobEvent, JobOutcome, JobOutputEvent } from '../../protocol/event.ts';
import { Lane } from '../../protocol/lane.ts';
import type { JobCancel, JobFollow, JobRun, JobStart } from '../../protocol/request.ts';
import type { Link } from '../link/port.ts';
import type { BootTime } from '../machine/boot-time.ts';
import { sleep } from '../wait.ts';
import { createJobTable, type JobTable } from '../state/job-table.ts';
import { contentOf } from '../../protocol/job-action.ts';
import type { ActionEnd, Perform } from './action.ts';
import { ContentDesk } from './content-desk.ts';
import type { ContentCache } from './content-cache.ts';
import {
  advanceHold,
  beginHold,
  holdOutcome,
  mayRunAgain,
  recordEveryMs,
  restoreRuns,
  runsReason,
  type ActionFate,
  type HoldRecord,
} from './hold.ts';
import { fitJobEvent } from './job-event.ts';
import { JobBeat } from './job-beat.ts';
import { noteOf, type JobNote } from './job-note.ts';
import { aboutJob, asRun, dropAbsent } from './job-run.ts';
import { objectionTo, type JobPolicy } from './job-policy.ts';
import { LiveOutput } from './live-output.ts';
import { outcomeOf, type HeldJob, type RunningJob } from './running-job.ts';

export interface ExecutorOption {
  database: DatabaseSync;
  log: DeviceLog;
  link: Pick<Link, 'wake' | 'onChange' | 'coordinatorNowMs' | 'status'>;
  clock: Clock;
  logger: Log;
  machine: BootTime;
  perform: Perform;
  content: Pick<ContentCache, 'fetch'>;
  /** As it is now: the owner may change it. */
  policy(): JobPolicy;
}

const longestTimerMs = 3_600_000;
/** Most commands are done in a moment, and their end says when they began: only of what takes longer that is told. */
const momentMs = 1_000;

/** Runs the jobs of the coordinator, each at most once, and puts each outcome into the log with the job's row. */
export class Executor {
  readonly #option: ExecutorOption;
  readonly #table: JobTable;
  readonly #running = new Map<string, RunningJob>();
  readonly #held = new Map<string, HeldJob>();
  readonly #content: ContentDesk;
  readonly #beat: JobBeat;
  readonly #live: LiveOutput;
  #unsubscribe: (() => void) | undefined;
  #cancelTimer: (() => void) | undefined;
  #stopped = false;

  constructor(option: ExecutorOption) {
    this.#option = option;
    this.#table = createJobTable(option.database);
    this.#content = new ContentDesk({ ...option, cache: option.content, onChange: () => this.#fill() });
    this.#beat = new JobBeat({ ...option, running: this.#running });
    this.#live = new LiveOutput({
      clock: option.clock,
      linked: () => option.link.status().state === 'live',
      tell: (event) => {
        this.#append(event, 'flotilla.job-output', Lane.state);
      },
    });
  }

  /** Owns up to the jobs that an earlier process started and never saw end, then goes on with those that wait. */
  start(): void {
    for (const { run, startedAtMs, note } of this.#table.started()) {
      this.#resume(run, startedAtMs, note ?? {});
    }
    // Expiry is judged by the coordinator's time, which an agent that has just started does not know yet.
    // Not within the link's own turn: filling appends to the log that it is about to read.
    this.#unsubscribe = this.#option.link.onChange(() => void setImmediate(() => this.#fill()));
    this.#fill();
  }

  /** Ends what runs; each such job is `unknown`, because nobody saw how far it got. What is held stays held. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unsubscribe?.();
    this.#cancelTimer?.();
    this.#beat.stop();
    this.#live.stop();
    for (const held of this.#held.values()) {
      held.cancelTimer();
      this.#note(held);
    }
    const running = [...this.#running.values()];
    for (const { controller } of running) controller.abort();
    await Promise.all([this.#content.stop(), ...running.map(({ done }) => done)]);
  }

  /** Within a transaction; what it returns follows the commit. A job id that was ever seen is ignored. */
  accept(request: JobStart | JobRun): () => void {
    const run = 'action' in request ? request : asRun(request);
    return this.#decide(run) ?? (() => this.#fill());
  }

  /** What waits for nothing starts with this sync to the disk: another takes longer than many a command. */
  #decide(run: JobRun): (() => void) | undefined {
    if (this.#table.state(run.jobId) !== undefined) return undefined;
    const policy = this.#option.policy();
    const objection = objectionTo(run, policy);
    if (objection !== undefined) this.#finish(run, 'rejected', { reason: objection });
    else if (!this.#answer(run)) {
      if (this.#isReady(run, policy)) return this.#markStarted(run);
      this.#table.queue(run);
    }
    return undefined;
  }

  /** The request itself can't be taken: it never ran, and never will. */
  abandon(job: Pick<JobStart, 'jobId'>, reason: string): void {
    if (this.#table.state(job.jobId) !== undefined) return;
    this.#finish(job, 'rejected', { reason: `the agent could not take it: ${reason}` });
  }

  cancel({ jobId }: JobCancel, settle: () => void): void {
    const held = this.#held.get(jobId);
    this.#within(() => {
      settle();
      const state = this.#table.state(jobId);
      // Also for one that never came: a start that comes later is a duplicate of what has ended.
      if (state === undefined || state === 'queued') this.#finish({ jobId }, 'cancelled');
      else if (held !== undefined) this.#note(held, { cancelled: true });
    });
    const running = this.#running.get(jobId);
    if (running) {
      running.cancelled = true;
      running.controller.abort();
    } else if (held) this.#restore(held);
  }

  /** Somebody wants to see what a job writes while it does; of one that has ended the result says it. */
  follow({ jobId }: JobFollow, settle: () => void): void {
    this.#within(settle);
    const state = this.#table.state(jobId);
    if (state === 'queued' || state === 'started') this.#live.follow(jobId);
  }

  /** A ping asks whether the agent is well: it waits for no other job. True when it is done with. */
  #answer(run: JobRun): boolean {
    const { action, hold, startAtMs, expiresAtMs } = run;
    const nowMs = this.#option.link.coordinatorNowMs();
    if (action.kind !== 'ping' || hold !== undefined || startAtMs !== undefined || nowMs === undefined) return false;
    const startedAtMs = this.#option.clock.nowMs();
    this.#finish(run, nowMs < expiresAtMs ? 'succeeded' : 'expired', { startedAtMs });
    return true;
  }

  /** Starts what waits and is due, as far as the limit allows. */
  #fill(): void {
    this.#cancelTimer?.();
    const nowMs = this.#option.link.coordinatorNowMs();
    if (this.#stopped || nowMs === undefined) return;
    let nextMs = Infinity;
    const queued = this.#table.queued();
    if (queued.length === 0) return;
    const { maxConcurrent } = this.#option.policy().limits;
    for (const run of queued) {
      if (this.#running.size >= maxConcurrent) return;
      const { action, expiresAtMs, startAtMs = 0 } = run;
      const content = contentOf(action);
      const has = content === undefined || nowMs >= expiresAtMs ? 'ready' : this.#content.look(content);
      if (nowMs >= expiresAtMs) this.#finish(run, 'expired');
      else if (typeof has === 'object')
        this.#finish(run, 'rejected', { reason: `its content can't be had: ${has.failed}` });
      else if (has === 'coming') nextMs = Math.min(nextMs, expiresAtMs);
      else if (nowMs < startAtMs) nextMs = Math.min(nextMs, startAtMs);
      else this.#within(() => this.#markStarted(run))();
    }
    if (nextMs === Infinity) return;
    const delayMs = Math.min(nextMs - nowMs, longestTimerMs);
    this.#cancelTimer = this.#option.clock.schedule(delayMs, () => this.#fill());
  }

  /** Has it nothing to wait for: no content, no turn, no time? */
  #isReady({ action, expiresAtMs, startAtMs = 0 }: JobRun, { limits }: JobPolicy): boolean {
    const nowMs = this.#option.link.coordinatorNowMs();
    if (this.#stopped || nowMs === undefined || nowMs < startAtMs || nowMs >= expiresAtMs) return false;
    return contentOf(action) === undefined && this.#running.size < limits.maxConcurrent;
  }

  /**
   * Within a transaction, on disk before the process exists: whatever happens then, it is never run a second time, and
   * it is taken back. Returns what starts it, for after the commit.
   */
  #markStarted(run: JobRun): () => void {
    const { clock, machine, link } = this.#option;
    const { jobId, action, hold } = run;
    const startedAtMs = clock.nowMs();
    const record = hold === undefined ? undefined : beginHold(machine, link.coordinatorNowMs());
    const bootId = action.kind === 'reboot' ? machine.bootId() : undefined;
    this.#table.markStarted(run, startedAtMs, noteOf(bootId, record));
    return () => {
      const held = record === undefined ? undefined : this.#hold(run, startedAtMs, record);
      this.#track(jobId, (running) => this.#run(run, running, startedAtMs, held));
    };
  }

  async #run(run: JobRun, running: RunningJob, startedAtMs: number, held: HeldJob | undefined): Promise<void> {
    const { jobId, action, hold } = run;
    const cancelTelling = this.#tellStarted(run, startedAtMs);
    const end = await this.#perform(run, action, running, hold?.forSeconds);
    cancelTelling();
    this.#running.delete(jobId);
    this.#live.close(jobId);
    // The agent ends because the machine does: the next one will know.
    if (action.kind === 'reboot' && end.outcome === 'aborted' && !running.cancelled) return;
    const detail = { ...end, startedAtMs };
    const outcome = outcomeOf(end, running);
    if (held === undefined) this.#finish(run, outcome.outcome, { ...detail, ...outcome });
    else this.#told(held, { ...detail, ...outcome, finishedAtMs: this.#option.clock.nowMs() }, running.cancelled);
    this.#fill();
  }

  /** When it has run for a moment; of a reboot at once, for this process may be gone then. Returns what cancels it. */
  #tellStarted(run: JobRun, startedAtMs: number): () => void {
    const { logger, clock } = this.#option;
    const tell = (): void => {
      logger.info(aboutJob(run), 'job started');
      try {
        this.#append({ jobId: run.jobId, state: 'started', startedAtMs });
      } catch (error) {
        logger.warn({ err: error, job: run.jobId }, 'that it runs could not be told'); // a full log: its end says it
      }
    };
    if (run.action.kind !== 'reboot') return clock.schedule(momentMs, tell);
    tell();
    return () => undefined;
  }

  #perform(run: JobRun, action: JobRun['action'], running: RunningJob, mostSeconds = Infinity): Promise<ActionEnd> {
    const { jobId, timeoutSeconds, maxOutputBytes, submittedBy } = run;
    const { limits } = this.#option.policy();
    return this.#option.perform(action, {
      jobId,
      timeoutMs: Math.min(timeoutSeconds, limits.timeoutSeconds, mostSeconds) * 1_000,
      maxOutputBytes: Math.min(maxOutputBytes, limits.maxOutputBytes),
      signal: running.controller.signal,
      objection: (other) => this.#option.policy().objection(other, submittedBy),
      // What takes it back is told with the result alone.
      ...(action === run.action ? { onOutput: this.#live.open(jobId) } : {}),
    });
  }

  /** What an earlier process had begun. */
  #resume(run: JobRun, startedAtMs: number, { hold, bootId }: JobNote): void {
    if (bootId !== undefined && hold === undefined) return this.#rebooted(run, startedAtMs, bootId);
    const reason = 'the agent or the machine stopped while it ran';
    if (hold === undefined || run.hold === undefined) return this.#finish(run, 'unknown', { reason, startedAtMs });
    if (hold.restoring === true && !mayRunAgain(run.hold, hold)) {
      const fate = { outcome: 'unknown', reason } as const;
      return this.#finish(run, 'unknown', { ...hold.first, ...holdOutcome(hold, fate), startedAtMs, restore: fate });
    }
    const { machine, link } = this.#option;
    const held = this.#hold(run, startedAtMs, advanceHold(hold, machine, link.coordinatorNowMs()));
    if (hold.first === undefined)
      this.#told(held, { outcome: 'unknown', reason, startedAtMs }, hold.cancelled === true);
    else if (hold.cancelled === true || hold.restoring === true) this.#restore(held);
  }

  /** Another boot id is the proof; with the same one the machine may still be about to go. */
  #rebooted(run: JobRun, startedAtMs: number, bootId: string): void {
    const { machine, clock } = this.#option;
    const { jobId, timeoutSeconds } = run;
    if (machine.bootId() !== bootId) return this.#finish(run, 'succeeded', { startedAtMs });
    const reason = 'the agent was restarted meanwhile, and the machine was not';
    this.#track(jobId, async (running) => {
      await sleep(clock, timeoutSeconds * 1_000, running.controller.signal).catch(() => undefined);
      this.#running.delete(jobId);
      if (running.controller.signal.aborted && !running.cancelled) return;
      this.#finish(run, 'unknown', { reason, startedAtMs });
    });
  }

  #hold(run: JobRun, startedAtMs: number, record: HoldRecord): HeldJob {
    const held: HeldJob = { run, startedAtMs, record, cancelTimer: () => undefined };
    this.#held.set(run.jobId, held);
    this.#watch(held);
    return held;
  }

  /** Waits for the time of the restoring action, and writes down now and then how far that is. */
  #watch(held: HeldJob): void {
    const { machine, link, clock } = this.#option;
    const forMs = held.run.hold!.forSeconds * 1_000;
    held.cancelTimer();
    held.record = advanceHold(held.record, machine, link.coordinatorNowMs());
    const leftMs = forMs - held.record.elapsedMs;
    if (leftMs <= 0 && held.record.first !== undefined) return this.#restore(held);
    // While the first action still runs its own time limit ends it at the same moment.
    if (leftMs <= 0) return;
    held.cancelTimer = clock.schedule(Math.min(leftMs, recordEveryMs(forMs)), () => {
      if (this.#stopped) return;
      this.#watch(held);
      if (this.#held.has(held.run.jobId)) this.#within(() => this.#note(held));
    });
  }

  /** The first action has ended: said at once, and the return waits for its time. */
  #told(held: HeldJob, end: ActionFate & Partial<JobEvent>, cancelled: boolean): void {
    const { outcome, exitCode, signal, reason, startedAtMs, finishedAtMs, ...output } = end;
    const first: ActionFate = dropAbsent({ outcome, exitCode, signal, reason, startedAtMs, finishedAtMs });
    const { jobId, hold } = held.run;
    const { machine, link, clock } = this.#option;
    held.record = advanceHold(held.record, machine, link.coordinatorNowMs());
    const leftMs = Math.max(0, hold!.forSeconds * 1_000 - held.record.elapsedMs);
    this.#within(() => {
      this.#note(held, { first, ...(cancelled ? { cancelled } : {}) });
      this.#append(
        fitJobEvent({ ...output, ...first, jobId, state: 'held', returnsAtMs: Math.round(clock.nowMs() + leftMs) }),
      );
    });
    this.#option.logger.info({ job: jobId, outcome, returnsInMs: Math.round(leftMs) }, 'job held');
    if (this.#stopped) return;
    if (cancelled) this.#restore(held);
    else this.#watch(held);
  }

  /** Takes the action back: on disk before it begins, like the action itself. */
  #restore(held: HeldJob): void {
    const { jobId, hold } = held.run;
    if (this.#stopped || !this.#held.delete(jobId)) return;
    held.cancelTimer();
    const startedAtMs = this.#option.clock.nowMs();
    const runs = restoreRuns(held.record) + 1;
    this.#within(() => this.#note(held, { restoring: true, runs }));
    this.#option.logger.info({ job: jobId, early: held.record.cancelled === true, runs }, 'job restores');
    this.#track(jobId, async (running) => {
      const end = await this.#perform(held.run, hold!.restore, running);
      this.#running.delete(jobId);
      // The agent ends, and this did not: the next one runs it again.
      if (end.outcome === 'aborted' && !running.cancelled && mayRunAgain(hold, held.record)) return;
      const { outcome, reason = runsReason(runs) } = outcomeOf(end, running);
      const restore = dropAbsent({ ...end, outcome, reason, startedAtMs, finishedAtMs: this.#option.clock.nowMs() });
      const whole = holdOutcome(held.record, restore);
      const { exitCode, signal } = held.record.first ?? {};
      this.#finish(held.run, whole.outcome, {
        ...dropAbsent({ exitCode, signal }),
        ...whole,
        startedAtMs: held.startedAtMs,
        restore,
      });
      this.#fill();
    });
  }

  #note(held: HeldJob, change: Partial<HoldRecord> = {}): void {
    const { machine, link } = this.#option;
    held.record = { ...advanceHold(held.record, machine, link.coordinatorNowMs()), ...change };
    this.#table.setNote(held.run.jobId, { hold: held.record } satisfies JobNote);
  }

  #track(jobId: string, work: (running: RunningJob) => Promise<void>): void {
    const running: RunningJob = {
      startedAtMs: this.#option.clock.nowMs(),
      controller: new AbortController(),
      cancelled: false,
      done: Promise.resolve(),
    };
    this.#running.set(jobId, running);
    running.done = work(running);
    this.#beat.start();
  }

  #finish(job: JobRun | Pick<JobRun, 'jobId'>, outcome: JobOutcome, detail: Partial<JobEvent> = {}): void {
    const { jobId } = job;
    this.#live.close(jobId);
    this.#within(() => {
      this.#table.markFinished(jobId, outcome);
      const finishedAtMs = this.#option.clock.nowMs();
      this.#append(fitJobEvent({ ...detail, jobId, state: 'finished', outcome, finishedAtMs }));
    });
    this.#option.logger.info({ ...aboutJob(job), outcome, reason: detail.reason }, 'job finished');
  }

  #append(value: JobEvent | JobOutputEvent, type: BuiltinEventType = 'flotilla.job', lane: Lane = Lane.control): void {
    const { clock, log, link } = this.#option;
    log.append(lane, jsonRow({ type, key: value.jobId, timestampMs: clock.nowMs(), value }));
    link.wake();
  }

  #within<Result>(work: () => Result): Result {
    return this.#option.log.transact(work);
  }
}
