import type { Clock } from '../clock.ts';
import { isLogFull, jsonRow, type DeviceLog, type StoredRequest } from '../eventlog/index.ts';
import type { Log } from '../log.ts';
import type { DeadLetterEvent } from '../protocol/event.ts';
import { Lane, type Row } from '../protocol/lane.ts';
import type { RequestPayload, RequestType } from '../protocol/request.ts';
import { createPayloadReader } from './request-payload.ts';

/** Each must call `settle` inside the transaction of its effect. A type without one is not understood here. */
export type RequestHandlers = {
  [T in RequestType]?: (payload: RequestPayload[T], settle: () => void) => void | Promise<void>;
};

/** For what has its whole effect in the database: within its transaction; what it returns follows the commit. */
export type RequestTakers = { [T in RequestType]?: (payload: RequestPayload[T]) => () => void };

/** Told of a request that was given up, so that whoever waits for an answer gets one. */
export type AbandonHandlers = { [T in RequestType]?: (payload: RequestPayload[T], reason: string) => void };

export interface InboxOption {
  log: DeviceLog;
  logger: Log;
  clock: Clock;
  handlers: RequestHandlers;
  takers?: RequestTakers;
  abandon?: AbandonHandlers;
  /** There are new events in the log. */
  onReport(): void;
  onFatal(error: unknown): void;
}

type Handler = (payload: unknown, settle: () => void) => void | Promise<void>;
type Taker = (payload: unknown) => () => void;

/** A request that was under way when the process ended so often is not tried again. */
const maxCrashes = 2;
/** How long to wait after each failure of a handler; after the last one the request is given up. */
const retryMs = [1_000, 5_000, 30_000, 120_000];
/** A full disk is nobody's fault: how often is looked whether there is room again. */
const fullMs = 10_000;

/** Hands the requests of the log to their handlers, one after the other, in order of arrival. */
export class Inbox {
  readonly #option: InboxOption;
  readonly #read = createPayloadReader();
  #working: Promise<void> | undefined;
  /** There may be requests that were not looked at. */
  #woken = false;
  #stopped = false;
  #started = false;
  /** Requests that have failed, and when they are tried again. */
  readonly #retryAtMs = new Map<string, number>();
  /** Nothing waits in the log. */
  #empty = false;
  /** Of whose lanes a request has come to this process. */
  readonly #known = new Set<string>();
  #cancelRetry: () => void = () => undefined;

  constructor(option: InboxOption) {
    this.#option = option;
  }

  /**
   * Requests of one lane have come: stored when this returns, with what it takes to carry out one that is alone. True:
   * some wait for `wake`. The one that is handled then is laid to this process with the same sync.
   */
  receive(coordinatorInstanceId: bigint, lane: Lane, firstSeq: number, rows: readonly Row[]): boolean {
    const { log } = this.#option;
    const [row] = rows;
    const from = `${coordinatorInstanceId} ${lane}`;
    // What has ended the process before it was on disk comes first in its lane to the next one: that lays it to itself.
    const isAlone = this.#empty && rows.length === 1 && this.#known.has(from);
    if (isAlone && row !== undefined && this.#takeAtOnce(coordinatorInstanceId, lane, firstSeq, row)) return false;
    log.transact(() => {
      rows.forEach((each, n) => log.receive(coordinatorInstanceId, lane, firstSeq + n, each));
      if (this.#stopped || this.#working !== undefined || !this.#started) return;
      const [first] = this.#ready(log.unsettled());
      if (first !== undefined) log.attempt(first);
    });
    this.#empty = false;
    this.#known.add(from);
    return true;
  }

  /** False: it has changed nothing, and the request goes the longer way, where its failure is counted. */
  #takeAtOnce(coordinatorInstanceId: bigint, lane: Lane, seq: number, row: Row): boolean {
    const { log, logger, onFatal } = this.#option;
    const taker = this.#option.takers?.[row.type as RequestType] as Taker | undefined;
    const payload = taker === undefined ? undefined : this.#read(row);
    if (taker === undefined || payload === undefined) return false;
    let follow: (() => void) | undefined;
    try {
      log.transact(() => {
        if (log.take(coordinatorInstanceId, lane, seq)) follow = taker(payload);
      });
    } catch (error) {
      logger.warn({ err: error, type: row.type, key: row.key }, 'a request could not be carried out as it came');
      return false;
    }
    try {
      follow?.();
    } catch (error) {
      logger.error({ err: error, type: row.type, key: row.key }, 'a handler failed after its request was done');
      if (isDatabaseError(error)) onFatal(error);
    }
    return true;
  }

  /** There may be requests in the log. */
  wake(): void {
    this.#woken = true;
    if (this.#stopped || this.#working) return;
    this.#empty = false;
    this.#working = this.#drainSafely();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#empty = false;
    this.#cancelRetry();
    await this.#working;
  }

  async #drainSafely(): Promise<void> {
    const { log, logger, onFatal } = this.#option;
    try {
      if (!this.#started) log.countCrashes();
      this.#started = true;
      await this.#drain();
    } catch (error) {
      if (isLogFull(error)) {
        logger.error({ err: error }, 'requests wait until there is room on the disk');
        this.#working = undefined;
        this.#retryIn(fullMs);
        return;
      }
      logger.fatal({ err: error }, 'a request could not be carried out');
      onFatal(error);
      return;
    }
    this.#working = undefined;
    if (this.#woken) return this.wake(); // one came while the last was put away
    this.#empty = this.#retryAtMs.size === 0 && !this.#stopped;
    this.#awaitRetry();
  }

  async #drain(): Promise<void> {
    while (this.#woken) {
      this.#woken = false;
      for (const request of this.#ready(this.#option.log.unsettled())) {
        if (this.#stopped) return;
        await this.#handle(request);
        if (!this.#retryAtMs.has(placeOf(request))) continue;
        this.#woken = true; // what may be done now has changed
        break;
      }
    }
  }

  /** Those that may be tried now: not one that waits after a failure, nor a later one about the same thing. */
  #ready(requests: readonly StoredRequest[]): StoredRequest[] {
    const nowMs = this.#option.clock.monotonicMs();
    const held = new Set<string>();
    return requests.filter((request) => {
      const subject = subjectOf(request);
      if (held.has(subject)) return false;
      if ((this.#retryAtMs.get(placeOf(request)) ?? -Infinity) <= nowMs) return true;
      if (request.key !== '') held.add(subject);
      return false;
    });
  }

  #awaitRetry(): void {
    const atMs = Math.min(...this.#retryAtMs.values());
    if (atMs !== Infinity) this.#retryIn(atMs - this.#option.clock.monotonicMs());
  }

  #retryIn(ms: number): void {
    this.#cancelRetry();
    if (!this.#stopped) this.#cancelRetry = this.#option.clock.schedule(Math.max(0, ms), () => this.wake());
  }

  async #handle(request: StoredRequest): Promise<void> {
    const { log } = this.#option;
    const payload = this.#read(request);
    const handler = payload === undefined ? undefined : this.#handlerOf(request.type as RequestType);
    // One that no handler understands would stand in the way of every later one.
    if (handler === undefined) return this.#giveUp(request, undefined, 'this agent does not understand it');
    if (request.crashes >= maxCrashes) {
      return this.#giveUp(request, payload, `the agent ended ${request.crashes} times while it was carried out`);
    }
    if (!request.running) log.attempt(request);
    try {
      await handler(payload, () => log.settle(request));
    } catch (error) {
      this.#failed(request, payload, error);
      return;
    }
    this.#retryAtMs.delete(placeOf(request));
  }

  #handlerOf(type: RequestType): Handler | undefined {
    const { log, handlers, takers } = this.#option;
    const take = takers?.[type] as Taker | undefined;
    if (take === undefined) return handlers[type] as Handler | undefined;
    return (payload, settle) => {
      let follow: (() => void) | undefined;
      log.transact(() => {
        settle();
        follow = take(payload);
      });
      follow?.();
    };
  }

  /** A database that fails is for the supervisor to see; anything else is the request's own trouble. */
  #failed(request: StoredRequest, payload: unknown, error: unknown): void {
    const { log, logger, clock } = this.#option;
    if (isDatabaseError(error) || isLogFull(error)) throw error;
    if (!log.unsettled().some((each) => placeOf(each) === placeOf(request))) {
      logger.error({ err: error, type: request.type, key: request.key }, 'a handler failed after its request was done');
      return;
    }
    log.fail(request);
    const failures = request.failures + 1;
    const waitMs = retryMs[failures - 1];
    logger.error({ err: error, type: request.type, key: request.key, failures, waitMs }, 'a request failed');
    if (waitMs !== undefined) this.#retryAtMs.set(placeOf(request), clock.monotonicMs() + waitMs);
    else {
      const reason = error instanceof Error ? error.message : String(error);
      this.#giveUp({ ...request, failures }, payload, reason);
    }
  }

  /** Sets the request aside and says so, in one transaction; then whoever waits for its answer is told. */
  #giveUp(request: StoredRequest, payload: unknown, reason: string): void {
    const { log, logger, clock, abandon = {}, onReport } = this.#option;
    const { type, key, lane, seq, crashes, failures } = request;
    const value: DeadLetterEvent = { type, key, lane, seq, attempts: crashes + failures, reason: reason.slice(0, 512) };
    log.transact(() => {
      log.giveUp(request, value.reason);
      log.append(Lane.control, jsonRow({ type: 'flotilla.deadletter', key, timestampMs: clock.nowMs(), value }));
    });
    this.#retryAtMs.delete(placeOf(request));
    logger.error(value, 'a request was given up');
    try {
      const tell = abandon[type as RequestType] as ((payload: unknown, reason: string) => void) | undefined;
      if (payload !== undefined) tell?.(payload, value.reason);
    } catch (error) {
      logger.error({ err: error, type, key }, 'nobody could be told that a request was given up');
    }
    onReport();
  }
}

function placeOf({ coordinatorInstanceId, lane, seq }: StoredRequest): string {
  return `${coordinatorInstanceId} ${lane} ${seq}`;
}

/** `job.start` and `job.cancel` of one job are about the same thing. */
function subjectOf({ type, key }: StoredRequest): string {
  return `${type.slice(0, type.indexOf('.'))} ${key}`;
}

function isDatabaseError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_SQLITE_ERROR';
}
