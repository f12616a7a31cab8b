import type { Row } from '../protocol/lane.ts';
import { ProtocolError } from '../protocol/protocol-error.ts';
import type { GapReason } from '../protocol/message.ts';
import { InFlight } from './in-flight.ts';

/** Bookkeeping of a row on the wire: headers, stream number, time. */
export const rowOverheadBytes = 8;

interface Queued {
  seq: number;
  row: Row;
  bytes: number;
}

/** One lane towards the peer: rows that wait, numbers that are on their way. */
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

  /** Where the peer stands when the session goes live. */
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
    const bytes = row.payload.length + rowOverheadBytes;
    this.#queue.push({ seq, row, bytes });
    this.#queuedBytes += bytes;
    this.#queuedSeq = seq;
    return true;
  }

  get nextBytes(): number | undefined {
    return this.#queue[this.#head]?.bytes;
  }

  /** Of the next row, if its number follows the last one sent: it may go into the same frame. */
  get followingBytes(): number | undefined {
    const next = this.#queue[this.#head];
    return next !== undefined && next.seq === this.#sentSeq + 1 ? next.bytes : undefined;
  }

  /** The row to send now, and how many numbers before it are left out. */
  take(nowMs: number): { row: Row; bytes: number; skipped: number; gapReason: GapReason } | undefined {
    const next = this.#queue[this.#head];
    if (next === undefined) return undefined;
    this.#head += 1;
    if (this.#head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
    } else if (this.#head > 256) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    this.#queuedBytes -= next.bytes;
    const skipped = next.seq - this.#sentSeq - 1;
    const gapReason = this.#gapReason;
    if (skipped > 0) this.#gapReason = 'not-kept';
    this.#sentSeq = next.seq;
    this.inFlight.push(next.seq, next.bytes, nowMs);
    return { row: next.row, bytes: next.bytes, skipped, gapReason };
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
