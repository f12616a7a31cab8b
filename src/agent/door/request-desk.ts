import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../../clock.ts';
import { DoorError, maxFactBytes, type Id, type RequestRow } from '../../door/index.ts';
import { jsonRow, type DeviceLog } from '../../eventlog/index.ts';
import type { Log } from '../../log.ts';
import type { ReplyEvent } from '../../protocol/event.ts';
import { Lane } from '../../protocol/lane.ts';
import type { ProductRequest } from '../../protocol/request.ts';
import type { Link } from '../link/port.ts';
import { createRequestTable, type OpenRequest, type RequestTable } from '../state/request-table.ts';
import type { DoorConnection } from './door-connection.ts';

export interface RequestDeskOption {
  database: DatabaseSync;
  log: Pick<DeviceLog, 'append' | 'transact'>;
  link: Pick<Link, 'wake' | 'coordinatorNowMs'>;
  clock: Clock;
  logger: Log;
}

interface Taker {
  id: Id;
  types: ReadonlySet<string>;
  max: number;
  held: Set<string>;
}

interface Waiting extends OpenRequest {
  /** A program has it and is connected. */
  held: boolean;
}

/** A program may be given a request, and after it went away without a word a program once more. */
const maxAttempts = 2;
const maxOpen = 1_000;
const maxReason = 512;
const longestTimerMs = 3_600_000;
const retryMs = 10_000;

/**
 * Requests for the programs of the product. Each is on disk before it is settled in the inbox, is given to one program
 * at a time, and ends with one `flotilla.reply`: what the program answered, `expired`, or `unknown` when programs went
 * away in the middle of it.
 */
export class RequestDesk {
  readonly #option: RequestDeskOption;
  readonly #table: RequestTable;
  readonly #takers = new Map<DoorConnection, Taker>();
  /** By id, in order of arrival. */
  readonly #open = new Map<string, Waiting>();
  #cancelTimer: (() => void) | undefined;
  #stopped = false;

  constructor(option: RequestDeskOption) {
    this.#option = option;
    this.#table = createRequestTable(option.database);
    // What an earlier process had given to a program waits again, or has had its chances.
    for (const open of this.#table.open()) this.#open.set(open.request.requestId, { ...open, held: false });
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTimer?.();
  }

  /** A request id that was ever seen is ignored. */
  receive(request: ProductRequest, settle: () => void): void {
    const { requestId } = request;
    const refused = this.#open.size >= maxOpen;
    this.#within(() => {
      settle();
      if (this.#table.knows(requestId)) return;
      if (refused)
        return this.#finish(request, 'failed', { reason: `${maxOpen} requests wait on this device already` });
      this.#table.add(request);
      this.#open.set(requestId, { request, held: false, attempts: 0 });
    });
    this.dispatch();
  }

  /** It never came as far as this desk. */
  abandon(request: ProductRequest, reason: string): void {
    if (this.#table.knows(request.requestId)) return;
    this.#finish(request, 'failed', { reason: `the agent could not take it: ${reason}` });
  }

  take(connection: DoorConnection, id: Id, { types, max = 1 }: { types: readonly string[]; max?: number }): void {
    const held = this.#takers.get(connection)?.held ?? new Set<string>();
    this.#takers.set(connection, { id, types: new Set(types), max, held });
    // After the answer to this very request.
    setImmediate(() => this.dispatch());
  }

  /** The program is gone: what it had and has not answered is given once more, or is over. */
  forget(connection: DoorConnection): void {
    const taker = this.#takers.get(connection);
    this.#takers.delete(connection);
    if (taker === undefined || this.#stopped) return;
    for (const requestId of taker.held) {
      const open = this.#open.get(requestId);
      if (open !== undefined) open.held = false;
    }
    this.dispatch();
  }

  /** From whatever connection: a program that has lost its own may still tell what came of it. */
  answer(requestId: string, outcome: 'done' | 'failed', detail: { value?: unknown; reason?: string }): void {
    const open = this.#open.get(requestId);
    if (open === undefined || open.attempts === 0) {
      throw new DoorError('refused', 'request-over', 'no such request waits for an answer', {
        seen: requestId.slice(0, 64),
        expected: 'a request that was given to a program and has not ended',
      });
    }
    this.#finish(open.request, outcome, detail);
    this.dispatch();
  }

  /** Gives what waits to programs that take it, and ends what has no time or no chance left. */
  dispatch(): void {
    if (this.#stopped) return;
    try {
      this.#giveUp();
      // Expiry is judged by the coordinator's time, which an agent that has just started does not know yet.
      const nowMs = this.#option.link.coordinatorNowMs();
      if (nowMs === undefined) return;
      this.#expire(nowMs);
      this.#hand();
      this.#arm(nowMs);
    } catch (error) {
      // A log that is full for now: what could not be written has not happened.
      this.#option.logger.error({ err: error }, 'requests could not be given to programs');
      this.#schedule(retryMs);
    }
  }

  #giveUp(): void {
    for (const { request, held, attempts } of this.#open.values()) {
      if (held || attempts < maxAttempts) continue;
      const reason = `given to a program ${maxAttempts} times, and each time it went away without an answer`;
      this.#finish(request, 'unknown', { reason });
    }
  }

  #expire(nowMs: number): void {
    for (const { request, held, attempts } of this.#open.values()) {
      if (nowMs < request.expiresAtMs) continue;
      if (attempts === 0) this.#finish(request, 'expired', {});
      else {
        const reason = held ? 'the program did not answer in time' : 'the program went away without an answer';
        this.#finish(request, 'unknown', { reason });
      }
    }
  }

  #hand(): void {
    const given: { connection: DoorConnection; taker: Taker; open: Waiting }[] = [];
    for (const open of this.#open.values()) {
      const free = open.held ? undefined : this.#freest(open.request.type);
      if (free === undefined) continue;
      free.taker.held.add(open.request.requestId);
      given.push({ ...free, open });
    }
    if (given.length === 0) return;
    try {
      this.#within(() => {
        for (const { open } of given) this.#table.countAttempt(open.request.requestId);
      });
    } catch (error) {
      for (const { taker, open } of given) taker.held.delete(open.request.requestId);
      throw error;
    }
    for (const { connection, taker, open } of given) {
      const { requestId, type, key, value, expiresAtMs } = open.request;
      open.held = true;
      open.attempts += 1;
      const row: RequestRow = { requestId, type, key, value, expiresAtMs, attempt: open.attempts };
      connection.push(taker.id, row);
    }
  }

  #freest(type: string): { connection: DoorConnection; taker: Taker } | undefined {
    let best: { connection: DoorConnection; taker: Taker } | undefined;
    for (const [connection, taker] of this.#takers) {
      if (!taker.types.has(type) || taker.held.size >= taker.max || connection.blocked) continue;
      if (best === undefined || taker.held.size < best.taker.held.size) best = { connection, taker };
    }
    return best;
  }

  #finish(
    { requestId, type }: ProductRequest,
    outcome: ReplyEvent['outcome'],
    { value, reason }: { value?: unknown; reason?: string },
  ): void {
    const { log, clock, link, logger } = this.#option;
    const reply: ReplyEvent = {
      requestId,
      type,
      outcome,
      ...(value === undefined ? {} : { value }),
      ...(reason === undefined ? {} : { reason: reason.slice(0, maxReason) }),
    };
    const row = jsonRow({ type: 'flotilla.reply', key: requestId, timestampMs: clock.nowMs(), value: reply });
    if (row.payload.length > maxFactBytes) {
      throw new DoorError('usage', 'reply-too-large', 'the value of this reply is too large', {
        seen: `${row.payload.length} bytes`,
        expected: `at most ${maxFactBytes}`,
      });
    }
    this.#within(() => {
      this.#table.markFinished(requestId);
      log.append(Lane.control, row);
    });
    this.#open.delete(requestId);
    for (const { held } of this.#takers.values()) held.delete(requestId);
    logger.info({ request: requestId, type, outcome, reason }, 'request of the product ended');
    link.wake();
  }

  #arm(nowMs: number): void {
    let firstMs = Infinity;
    for (const { request } of this.#open.values()) firstMs = Math.min(firstMs, request.expiresAtMs);
    if (firstMs === Infinity) this.#cancelTimer?.();
    else this.#schedule(Math.min(Math.max(firstMs - nowMs, 0) + 1, longestTimerMs));
  }

  #schedule(delayMs: number): void {
    this.#cancelTimer?.();
    this.#cancelTimer = this.#option.clock.schedule(delayMs, () => this.dispatch());
  }

  #within<Result>(work: () => Result): Result {
    return this.#option.log.transact(work);
  }
}
