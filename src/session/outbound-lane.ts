import type { Row } from '../protocol/lane.ts';
import { ProtocolError } from '../protocol/protocol-error.ts';
import type { GapReason } from '../protocol/message.ts';
import { InFlight } from './in-flight.ts';

/** Bookkeeping of a row on the wire: headers, stream number, time. */
export const rowOverheadBytes = 8;

/** A row, or with `reason` numbers that are left out, the last of them `seq`. */
type Queued =
  | { seq: number; row: Row; bytes: number; reason?: undefined }
  | { seq: number; row?: undefined; bytes: number; reason: GapReason };

/** What leaves next. */
export type Outgoing =
  | { row: Row; bytes: number; reason?: undefined }
  | { row?: undefined; bytes: number; skipped: number; reason: GapReason };

/** One lane towards the peer: rows and gaps that wait, numbers that are on their way. */
export class OutboundLane {
  readonly inFlight = new InFlight();
  #queue: Queued[] = [];
  #head = 0;
  #queuedBytes = 0;
  /** The last number that the peer has stored. */
  #ackedSeq = 0;
  /** The last number that was sent, left-out ones included. */
  #sentSeq = 0;
  #queuedSeq = 0;
  #gapReason: GapReason = 'not-kept';

  /** Where the peer stands when the session goes live, and why numbers are left out that nobody gives a reason for. */
  resume(cursor: number, gapReason: GapReason): void {
    this.#ackedSeq = cursor;
    this.#sentSeq = cursor;
    this.#queuedSeq = cursor;
    this.#gapReason = gapReason;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** The last number in the queue or on its way: what to read on from. */
  get queuedSeq(): number {
    return this.#queuedSeq;
  }

  /** The last number that was sent. */
  get sentSeq(): number {
    return this.#sentSeq;
  }

  get ackedSeq(): number {
    return this.#ackedSeq;
  }

  /** False: the peer has it, or it is on its way on this connection already. */
  enqueue(seq: number, row: Row): boolean {
    if (seq <= this.#queuedSeq) return false;
    if (seq > this.#queuedSeq + 1) {
      this.leaveOut(seq - 1, this.#gapReason);
      this.#gapReason = 'not-kept';
    }
    const bytes = row.payload.length + rowOverheadBytes;
    this.#queue.push({ seq, row, bytes });
    this.#queuedBytes += bytes;
    this.#queuedSeq = seq;
    return true;
  }

  /** No row will come for the numbers up to and including `upToSeq`. */
  leaveOut(upToSeq: number, reason: GapReason): void {
    if (upToSeq <= this.#queuedSeq) return;
    const last = this.#queue.at(-1);
    if (last?.reason === reason) last.seq = upToSeq;
    else {
      this.#queue.push({ seq: upToSeq, bytes: rowOverheadBytes, reason });
      this.#queuedBytes += rowOverheadBytes;
    }
    this.#queuedSeq = upToSeq;
  }

  get nextBytes(): number | undefined {
    return this.#queue[this.#head]?.bytes;
  }

  /** Of the next item, if it is a row: it may go into the same frame as the one before. */
  get followingBytes(): number | undefined {
    const next = this.#queue[this.#head];
    return next?.row === undefined ? undefined : next.bytes;
  }

  /** What to send now. */
  take(nowMs: number): Outgoing | undefined {
    const next = this.#queue[this.#head];
    if (next === undefined) return undefined;
    this.#head += 1;
    if (this.#head === this.#queue.length) {
      this.#queue.length = 0;
      this.#head = 0;
    } else if (this.#head > 256) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    this.#queuedBytes -= next.bytes;
    const skipped = next.seq - this.#sentSeq;
    this.#sentSeq = next.seq;
    this.inFlight.push(next.seq, next.bytes, nowMs);
    const { row, bytes, reason } = next;
    return row === undefined ? { bytes, skipped, reason } : { row, bytes };
  }

  /** The peer stored `count` more numbers; returns what that frees. */
  acked(count: number, nowMs: number): { upToSeq: number; bytes: number; delayMs: number } {
    const upToSeq = this.#ackedSeq + count;
    if (upToSeq > this.#sentSeq) {
      throw new ProtocolError('sequence', `ACK up to ${upToSeq}`, {
        expected: `at most ${this.#sentSeq}, the last one sent`,
      });
    }
    this.#ackedSeq = upToSeq;
    return { upToSeq, ...this.inFlight.settle(upToSeq, nowMs) };
  }
}
