/** The log on the device: an outbox of events and an inbox of requests in the agent's own SQLite database. */
import type { Lane, Row } from '../protocol/lane.ts';

export interface StoredRequest extends Row {
  lane: Lane;
  seq: number;
  /** Which coordinator's log `seq` counts in. */
  coordinatorInstanceId: bigint;
}

/** All methods are synchronous and take part in the caller's open transaction if there is one. */
export interface DeviceLog {
  readonly instanceId: bigint;
  /** Appends to the outbox; the row is sent only after the transaction is on disk. Returns its seq. */
  append(lane: Lane, row: Row): number;
  /** Several calls as one: all or nothing, one sync. */
  transact<T>(work: () => T): T;
  /** Rows of a lane after `afterSeq`, in order, at most `maxRows` and about `maxBytes`. */
  read(lane: Lane, afterSeq: number, maxRows: number, maxBytes: number): { firstSeq: number; rows: Row[] };
  /** The next seq of each lane, and the last acknowledged one. */
  nextSeq(): number[];
  ackedSeq(): number[];
  acknowledge(lane: Lane, upToSeq: number): void;
  /** The coordinator of the session that has just begun; its requests are counted on their own. */
  meet(coordinatorInstanceId: bigint): void;
  /** Commits a request unless it is already there; false for a duplicate. A gap in `seq` throws. */
  receive(coordinatorInstanceId: bigint, lane: Lane, seq: number, row: Row): boolean;
  /** The coordinator leaves out every request up to `upToSeq`: withdrawn, or done under another database of ours. */
  skip(coordinatorInstanceId: bigint, lane: Lane, upToSeq: number): void;
  /** Highest committed request per lane of the coordinator last met, for HELLO. */
  requestCursor(): { coordinatorInstanceId: bigint; seq: number[] };
  /** Requests that were received and not yet settled, in order of arrival. */
  unsettled(): StoredRequest[];
  /** The request is done with: its effect stands in the same transaction. */
  settle(request: StoredRequest): void;
  /** The coordinator will never take this row: it is set aside with the reason, and the lane moves on. */
  bury(lane: Lane, seq: number, reason: string): void;
  /** This database was wiped or rolled back: its rows go on under a new id, so that no number means two events. */
  renewInstance(): void;
  /** This instance goes on from another one: its first row need not have the number 1. */
  readonly renewed: boolean;
}
