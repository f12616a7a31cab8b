import { Buffer } from 'node:buffer';
import { ProtocolError } from '../protocol-error.ts';
import { maxBatchPayloadBytes } from './limit.ts';
import type { ColumnSchema, Step } from './schema.ts';

/** A decoded column: numbers, longs that are no exact doubles, texts; what a kind does not need is not there. */
export interface DecodedSlot {
  values: Float64Array;
  wide?: BigInt64Array;
  texts?: (index: number) => string | Uint8Array;
}

/** Puts Avro payloads together from columns: the other side of PayloadSplitter. */
export class PayloadJoiner {
  #buffer = Buffer.allocUnsafe(8192);
  #at = 0;
  #slots: readonly DecodedSlot[] = [];
  readonly #cursors: number[] = [];

  /** Payloads of `rows` rows, views of one buffer that is theirs alone. */
  join({ slots: { length }, steps }: ColumnSchema, slots: readonly DecodedSlot[], rows: number): Uint8Array[] {
    this.#slots = slots;
    this.#at = 0;
    for (let s = 0; s < length; s += 1) this.#cursors[s] = 0;
    const ends = new Int32Array(rows);
    for (let i = 0; i < rows; i += 1) {
      this.#walk(steps);
      ends[i] = this.#at;
    }
    const bytes = Buffer.allocUnsafeSlow(this.#at);
    this.#buffer.copy(bytes, 0, 0, this.#at);
    if (this.#buffer.length > 65_536) this.#buffer = Buffer.allocUnsafe(8192);
    return Array.from(ends, (end, i) => bytes.subarray(i === 0 ? 0 : ends[i - 1], end));
  }

  #walk(steps: readonly Step[]): void {
    for (let n = 0; n < steps.length; n += 1) this.#step(steps[n]!);
  }

  #step(step: Step): void {
    this.#reserve(10);
    const slot = this.#slots[step.slot]!;
    const index = this.#cursors[step.slot]!;
    this.#cursors[step.slot] = index + 1;
    const value = slot.values[index]!;
    switch (step.kind) {
      case 'presence':
        this.#buffer[this.#at++] = value === 0 ? step.nullBranch * 2 : 2 - step.nullBranch * 2;
        if (value !== 0) this.#walk(step.steps);
        break;
      case 'boolean':
        this.#buffer[this.#at++] = value;
        break;
      case 'int':
      case 'enum':
        this.#varint(value);
        break;
      case 'long':
        if (slot.wide === undefined) this.#varint(value);
        else this.#wideVarint(slot.wide[index]!);
        break;
      case 'float':
        this.#at = this.#buffer.writeFloatLE(value, this.#at);
        break;
      case 'double':
        this.#at = this.#buffer.writeDoubleLE(value, this.#at);
        break;
      default: {
        const text = slot.texts!(index);
        this.#varint(text.length);
        this.#reserve(text.length);
        if (typeof text === 'string') this.#buffer.write(text, this.#at, 'latin1');
        else this.#buffer.set(text, this.#at);
        this.#at += text.length;
      }
    }
  }

  #varint(value: number): void {
    let folded = value < 0 ? -2 * value - 1 : 2 * value;
    while (folded >= 0x80) {
      this.#buffer[this.#at++] = (folded % 0x80) | 0x80;
      folded = Math.floor(folded / 0x80);
    }
    this.#buffer[this.#at++] = folded;
  }

  #wideVarint(value: bigint): void {
    let folded = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
    while (folded >= 0x80n) {
      this.#buffer[this.#at++] = Number(folded & 0x7fn) | 0x80;
      folded >>= 7n;
    }
    this.#buffer[this.#at++] = Number(folded);
  }

  #reserve(bytes: number): void {
    const needed = this.#at + bytes;
    if (needed <= this.#buffer.length) return;
    if (needed > maxBatchPayloadBytes + 16) throw new ProtocolError('value', 'the payloads of a batch are too many');
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(grown, 0, 0, this.#at);
    this.#buffer = grown;
  }
}
