/** The log on the device: an outbox of events and an inbox of requests in the agent's own SQLite database. */
import type { Lane, Row } from '../protocol/lane.ts';
import type { LeftOut } from './gap-table.ts';

export interface StoredRequest extends Row {
  lane: Lane;
  seq: number;
  /** Which coordinator's log `seq` counts in. */
  coordinatorInstanceId: bigint;
  /** How often the process ended while its handler ran, and how often the handler threw. */
  crashes: number;
  failures: number;
  /** It was laid to this process already: see `attempt`. */
  running: boolean;
}

/** The next of a lane: numbers that are left out, then rows without a hole between them; either may be missing. */
export interface LogSlice {
  left: LeftOut[];
  firstSeq: number;
  rows: Row[];
}

export interface LogState {
  /** By lane. */
  lanes: { nextSeq: number; ackedSeq: number; waitingRows: number; waitingBytes: number }[];
  /** Rows that were appended since the start, and what the log's transactions have written where the kernel tells. */
  sinceStart: { events: number; writtenBytes: number | undefined };
  /** In the life of this database. */
  droppedRows: number;
  deadRows: number;
}

/**
 * Who was met: `first` of all, the `same` again, the same `set-back` (restored from a backup, or it has forgotten this
 * device: it has less than it had acknowledged, and gets what is kept once more), or `another`, which gets nothing of
 * what the one before has acknowledged.
 */
export type Meeting = 'first' | 'same' | 'set-back' | 'another';

/** All methods are synchronous and take part in the caller's open transaction if there is one. */
export interface DeviceLog {
  readonly instanceId: bigint;
  /**
   * Appends to the outbox; the row is sent only after the transaction is on disk. Returns its seq. Throws
   * `eventlog-full` when there is no room even after everything that is less urgent was given up; then nothing has
   * changed.
   */
  append(lane: Lane, row: Row): number;
  /** Several rows as one: all or nothing, one sync. */
  appendAll(items: readonly { lane: Lane; row: Row }[]): number[];
  /** Several calls as one: all or nothing, one sync. */
  transact<T>(work: () => T): T;
  /** What a lane has after `afterSeq`, in order, at most `maxRows` and about `maxBytes`. */
  read(lane: Lane, afterSeq: number, maxRows: number, maxBytes: number): LogSlice;
  /** The next seq of each lane, and the last acknowledged one. */
  nextSeq(): number[];
  ackedSeq(): number[];
  /** No higher number of each lane has ever left this device. */
  sentSeq(): number[];
  acknowledge(lane: Lane, upToSeq: number): void;
  /**
   * The same without a sync of its own: on disk with a transaction that comes when there are many, or
   * `writeAcknowledged`. A crash before costs nothing, because the coordinator tells it again in WELCOME. Returns how many
   * numbers are not on disk yet.
   */
  acknowledgeSoon(lane: Lane, upToSeq: number): number;
  writeAcknowledged(): void;
  /**
   * The coordinator of the session that has just begun, and of each lane the last row that it has; its requests are
   * counted on their own. Rows may leave now.
   */
  meet(coordinatorInstanceId: bigint, eventCursor: readonly number[]): Meeting;
  /** The session is over: nothing leaves until the next `meet`. */
  part(): void;
  /** Commits a request unless it is already there; false for a duplicate. A gap in `seq` throws. */
  receive(coordinatorInstanceId: bigint, lane: Lane, seq: number, row: Row): boolean;
  /** As `receive`, of a request whose effect stands in the same transaction: it is counted, and kept nowhere. */
  take(coordinatorInstanceId: bigint, lane: Lane, seq: number): boolean;
  /** The coordinator leaves out every request up to `upToSeq`: withdrawn, or done under another database of ours. */
  skip(coordinatorInstanceId: bigint, lane: Lane, upToSeq: number): void;
  /** Highest committed request per lane of the coordinator last met, for HELLO. */
  requestCursor(): { coordinatorInstanceId: bigint; seq: number[] };
  /** Requests that were received and not yet settled, in order of arrival. */
  unsettled(): StoredRequest[];
  /** The request is done with: its effect stands in the same transaction. */
  settle(request: StoredRequest): void;
  /** Before a request's handler is called: on disk, so that a crash of the process is laid to it. */
  attempt(request: StoredRequest): void;
  /** Its handler threw, and has settled nothing. */
  fail(request: StoredRequest): void;
  /** At the start of the process: a handler that was called and never came back has crashed the one before. */
  countCrashes(): void;
  /** The request will not be tried again: it is set aside with the reason. Tell of it in the same transaction. */
  giveUp(request: StoredRequest, reason: string): void;
  /** The coordinator will never take this row: it is set aside with the reason, and the lane moves on. */
  bury(lane: Lane, seq: number, reason: string): void;
  /** This database was wiped or rolled back: its rows go on under a new id, so that no number means two events. */
  renewInstance(): void;
  /** This instance goes on from another one: its first row need not have the number 1. */
  readonly renewed: boolean;
  state(): LogState;
}
