import { FlotillaError } from '../error.ts';
import type { Lane } from '../protocol/lane.ts';
import type { DeviceLogOption } from './log-limit.ts';
import type { StatementCache } from './statement-cache.ts';

/** Given up at a time, as a share of `maxBytes`: one event tells of many rows, and little more goes than has to. */
const stepShare = 64;
/** The event that tells of it waits, too. */
const noticeBytes = 256;
/** Bytes that may be appended before the file system is asked again. */
const checkEveryBytes = 65_536;
/** Pages that a row may touch besides its own: leaves that split, the free list. */
const spareBytes = 65_536;

/** Says when the log has to give something up, and how much. */
export class LogPressure {
  readonly #sql: StatementCache;
  readonly #maxBytes: number;
  readonly #minFreeBytes: number;
  readonly #freeBytes: () => number | undefined;
  #uncheckedBytes = checkEveryBytes;
  #low = false;
  /** Until so many bytes are appended the disk counts as full. */
  #fullBytes = 0;

  constructor(sql: StatementCache, option: DeviceLogOption) {
    this.#sql = sql;
    this.#maxBytes = option.maxBytes ?? Infinity;
    this.#minFreeBytes = option.minFreeBytes ?? 0;
    this.#freeBytes = option.freeBytes ?? (() => undefined);
  }

  /** What to give up at a time when `bytes` have to find room. */
  step(bytes: number): number {
    return Math.max(bytes, this.#maxBytes === Infinity ? spareBytes : Math.ceil(this.#maxBytes / stepShare));
  }

  /** By how much `bytes` more are too many to wait; below zero: there is room. */
  crowding(bytes: number, lanes: readonly { waitingBytes: number }[]): number {
    return lanes.reduce((sum, { waitingBytes }) => sum + waitingBytes, bytes) - this.#maxBytes;
  }

  /**
   * How much of what waits has to go before a row of `lane` may come: of its own lane and those below, never of lane
   * 0. Throws when they do not hold as much; lane 0 comes all the same, because it bounds itself: it answers requests.
   */
  excess(lane: Lane, bytes: number, lanes: readonly { waitingBytes: number }[]): number {
    const crowded = this.crowding(bytes, lanes);
    if (crowded <= 0) return 0;
    const over = crowded + noticeBytes;
    const lowest = Math.max(1, lane);
    const available = lanes.slice(lowest).reduce((sum, { waitingBytes }) => sum + waitingBytes, 0);
    if (available >= over) return Math.min(available, over + this.step(bytes) - bytes);
    if (lane === 0) return available;
    throw logFull(`more than ${this.#maxBytes} bytes wait that are at least as urgent`);
  }

  /** SQLite has found no room: the file must not grow, until so many more bytes have been appended. */
  sawFull(): void {
    this.#fullBytes = checkEveryBytes;
  }

  /** How much has to become free inside the file, because the file should not grow for a row of `bytes`. */
  lacking(bytes: number): number {
    this.#fullBytes = Math.max(0, this.#fullBytes - bytes);
    if (this.#minFreeBytes === 0 && this.#fullBytes === 0) return 0;
    this.#uncheckedBytes += bytes;
    if (this.#low || this.#uncheckedBytes >= checkEveryBytes) {
      this.#uncheckedBytes = 0;
      this.#low = (this.#freeBytes() ?? Infinity) < this.#minFreeBytes;
    }
    if (!this.#low && this.#fullBytes === 0) return 0;
    const pages = this.#sql.get<{ freelist_count: number }>('PRAGMA freelist_count')!.freelist_count;
    const { page_size: pageBytes } = this.#sql.get<{ page_size: number }>('PRAGMA page_size')!;
    const free = pages * pageBytes;
    return free >= bytes + spareBytes ? 0 : this.step(bytes + spareBytes);
  }
}

export function logFull(seen: string, cause?: unknown): FlotillaError {
  return new FlotillaError('failed', 'eventlog-full', 'the event log of this device is full', {
    seen,
    suggestion: 'try again when the device has been connected for a while, or raise events.maxBytes',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** There was no room, whether the log or SQLite itself has said so. */
export function isLogFull(error: unknown): boolean {
  return isDiskFull(error) || (error instanceof FlotillaError && error.code === 'eventlog-full');
}

/** SQLITE_FULL: neither the database nor its journal can grow. */
export function isDiskFull(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === 13;
}
