import { doubleNaN, floatNaN } from './domain.ts';
import { narrow } from './memory.ts';
import type { ColumnSchema, Step } from './schema.ts';
import { SlotValues } from './slot-values.ts';

/**
 * Takes Avro payloads apart into columns. A payload that would not be put together again byte for byte (longer varints
 * than needed, a NaN with a message, bytes after the last field, anything not of the schema) is refused.
 */
export class PayloadSplitter {
  readonly slots: readonly SlotValues[];
  readonly #schema: ColumnSchema;
  readonly #marks: Int32Array;
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(new ArrayBuffer(0));
  #at = 0;
  #owner = 0;
  /** What varint left: the number when it has at most 7 bytes, else NaN and the whole in #wide. */
  #wide = 0n;

  /** @param rows as many as usually come before `clear` */
  constructor(schema: ColumnSchema, rows: number) {
    this.#schema = schema;
    this.slots = schema.slots.map(() => new SlotValues(rows));
    this.#marks = new Int32Array(schema.slots.length);
  }

  clear(): void {
    for (const slot of this.slots) slot.clear();
  }

  /** Adds a row of the stream `owner`; false, and nothing has changed, when it has to travel opaque. */
  split(payload: Uint8Array, owner: number): boolean {
    this.#bytes = payload;
    this.#view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
    this.#at = 0;
    this.#owner = owner;
    const { slots } = this;
    for (let s = 0; s < slots.length; s += 1) this.#marks[s] = slots[s]!.count;
    if (this.#walk(this.#schema.steps) && this.#at === payload.length) return true;
    for (let s = 0; s < slots.length; s += 1) slots[s]!.cutTo(this.#marks[s]!);
    return false;
  }

  #walk(steps: readonly Step[]): boolean {
    for (let n = 0; n < steps.length; n += 1) {
      if (!this.#step(steps[n]!)) return false;
    }
    return true;
  }

  #step(step: Step): boolean {
    const slot = this.slots[step.slot]!;
    const bytes = this.#bytes;
    switch (step.kind) {
      case 'presence': {
        // Branch 0 is the byte 0, branch 1 the byte 2.
        const branch = bytes[this.#at++];
        if (branch !== 0 && branch !== 2) return false;
        const isNull = branch === step.nullBranch * 2;
        slot.push(isNull ? 0 : 1, this.#owner);
        return isNull || this.#walk(step.steps);
      }
      case 'boolean': {
        const value = bytes[this.#at++];
        if (value !== 0 && value !== 1) return false;
        slot.push(value, this.#owner);
        return true;
      }
      case 'int':
      case 'enum':
        return this.#int(slot, step.slot);
      case 'long': {
        const value = this.#varint();
        if (value === undefined) return false;
        slot.pushLong(this.#wide, value, this.#owner);
        return true;
      }
      case 'float':
        return this.#float(slot);
      case 'double':
        return this.#double(slot);
      default: {
        const length = this.#varint();
        // NaN, negative and too long fail alike.
        if (length === undefined || !(length >= 0 && length <= bytes.length - this.#at)) return false;
        slot.pushText(bytes.subarray(this.#at, this.#at + length), this.#owner);
        this.#at += length;
        return true;
      }
    }
  }

  #int(slot: SlotValues, index: number): boolean {
    const value = this.#varint();
    const { min, max } = this.#schema.slots[index]!;
    if (value === undefined || !(value >= min && value <= max)) return false;
    slot.push(value, this.#owner);
    return true;
  }

  #float(slot: SlotValues): boolean {
    if (this.#at + 4 > this.#bytes.length) return false;
    const value = this.#view.getFloat32(this.#at, true);
    if (Number.isNaN(value) && this.#view.getUint32(this.#at, true) !== floatNaN) return false;
    this.#at += 4;
    slot.push(value, this.#owner);
    return true;
  }

  #double(slot: SlotValues): boolean {
    if (this.#at + 8 > this.#bytes.length) return false;
    const value = this.#view.getFloat64(this.#at, true);
    if (Number.isNaN(value) && this.#view.getBigUint64(this.#at, true) !== doubleNaN) return false;
    this.#at += 8;
    slot.push(value, this.#owner);
    return true;
  }

  /** A zigzag varint in its shortest form; NaN when its value is no exact double (it is in #wide then). */
  #varint(): number | undefined {
    const bytes = this.#bytes;
    let folded = 0;
    let scale = 1;
    for (let n = 0; n < 7; n += 1) {
      const byte = bytes[this.#at++];
      if (byte === undefined) return undefined;
      folded += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (byte === 0 && n > 0) return undefined;
        const value = folded % 2 === 0 ? folded / 2 : -(folded + 1) / 2;
        if (Math.abs(value) < 2 ** 48) return value;
        this.#wide = BigInt(value);
        return NaN;
      }
      scale *= 0x80;
    }
    return this.#longVarint(BigInt(folded));
  }

  #longVarint(low: bigint): number | undefined {
    let folded = low;
    for (let n = 7; n < 10; n += 1) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined || (byte === 0 && n > 0) || (n === 9 && byte > 1)) return undefined;
      folded |= BigInt(byte & 0x7f) << BigInt(7 * n);
      if (byte < 0x80) {
        this.#wide = BigInt.asIntN(64, (folded >> 1n) ^ -(folded & 1n));
        return narrow(this.#wide);
      }
    }
    return undefined;
  }
}
