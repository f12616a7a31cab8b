import { maxLaneCount } from '../protocol/limit.ts';
import { ProtocolError } from '../protocol/protocol-error.ts';
import { InFlight } from './in-flight.ts';

/** One lane from the peer: numbers follow from the order of frames. */
export class InboundLane {
  #receivedSeq = 0;
  #ackedSeq = 0;
  /** Stored and not yet said. */
  #storedSeq = 0;
  readonly #unacked = new InFlight();

  resume(cursor: number): void {
    this.#receivedSeq = cursor;
    this.#ackedSeq = cursor;
    this.#storedSeq = cursor;
  }

  get receivedSeq(): number {
    return this.#receivedSeq;
  }

  /** The last number that was acknowledged. */
  get ackedSeq(): number {
    return this.#ackedSeq;
  }

  /** Of rows and gaps that came and were not acknowledged. */
  get unackedBytes(): number {
    return this.#unacked.bytes;
  }

  /** The number of the row that has just come. */
  next(bytes: number): number {
    const seq = this.#advance(1);
    this.#unacked.push(seq, bytes, 0);
    return seq;
  }

  /** The last number that was left out. Until it is acknowledged, a gap weighs as much as an empty row. */
  skip(count: number, bytes: number): number {
    const seq = this.#advance(count);
    this.#unacked.push(seq, bytes, 0);
    return seq;
  }

  #advance(count: number): number {
    const seq = this.#receivedSeq + count;
    if (seq > maxLaneCount) throw new ProtocolError('sequence', `sequence number ${seq} is too large`);
    this.#receivedSeq = seq;
    return seq;
  }

  /** Everything up to `upToSeq` is on our disk; what was never received is never acknowledged. */
  stored(upToSeq: number): void {
    if (upToSeq > this.#storedSeq) this.#storedSeq = Math.min(upToSeq, this.#receivedSeq);
  }

  /** How many to acknowledge now. */
  takeAck(): number {
    const count = this.#storedSeq - this.#ackedSeq;
    this.#ackedSeq = this.#storedSeq;
    if (count > 0) this.#unacked.settle(this.#ackedSeq, 0);
    return count;
  }
}
