import { ProtocolError } from '../protocol-error.ts';

/**
 * Reads bytes, varints and bits of a batch. Unlike ByteReader it can leave the byte grid: a bit field starts at the
 * current byte, its first bit is the lowest of that byte, and `alignBits` steps over the zero bits of its last byte.
 */
export class BodyReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at = 0;
  /** Bits of the byte at #at that are read already. */
  #bit = 0;

  constructor(bytes: Uint8Array, end = bytes.length) {
    this.#bytes = bytes;
    this.#end = end;
  }

  get remaining(): number {
    return this.#end - this.#at;
  }

  byte(): number {
    if (this.#at >= this.#end) throw short();
    return this.#bytes[this.#at++]!;
  }

  /** 0 to `max`, at most 8 bytes, in its shortest form. */
  varint(max: number = Number.MAX_SAFE_INTEGER): number {
    let value = 0;
    let scale = 1;
    for (let n = 0; n < 8; n += 1) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (byte === 0 && n > 0) throw new ProtocolError('varint', 'number is not in its shortest form');
        if (value > max) throw new ProtocolError('varint', `number ${value}, expected at most ${max}`);
        return value;
      }
      scale *= 0x80;
    }
    throw new ProtocolError('varint', 'number is longer than 8 bytes');
  }

  /** A zigzag varint. */
  signed(): number {
    const folded = this.varint();
    return folded % 2 === 0 ? folded / 2 : -(folded + 1) / 2;
  }

  bytes(length: number): Uint8Array {
    if (length > this.remaining) throw short();
    const view = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return view;
  }

  /** Refuses a bit field of `bits` that runs over the end, before anything is read or allocated for it. */
  expectBits(bits: number): void {
    if (bits > this.remaining * 8 - this.#bit) throw short();
  }

  /** 0 to 52 bits, lowest first. */
  bits(width: number): number {
    if (width <= 24) return this.#few(width);
    if (width <= 48) return this.#few(24) + this.#few(width - 24) * 0x100_0000;
    return this.#few(24) + this.#few(24) * 0x100_0000 + this.#few(width - 48) * 0x1_0000_0000_0000;
  }

  /** Ones up to the first zero, which is read as well; `most` ones end by themselves. */
  ones(most: number): number {
    let count = 0;
    while (count < most) {
      if (this.#at >= this.#end) throw short();
      const byte = this.#bytes[this.#at]! >> this.#bit;
      // Ones at the low end of what is left of this byte.
      const here = Math.min(31 - Math.clz32(~byte & -~byte), 8 - this.#bit, most - count);
      count += here;
      this.#bit += here;
      const isOver = this.#bit < 8;
      if (isOver && count < most) this.#bit += 1;
      if (this.#bit === 8) {
        this.#bit = 0;
        this.#at += 1;
      }
      if (isOver) return count;
    }
    return count;
  }

  alignBits(): void {
    if (this.#bit === 0) return;
    if (this.#bytes[this.#at]! >> this.#bit !== 0) throw new ProtocolError('value', 'bits after the last value');
    this.#bit = 0;
    this.#at += 1;
  }

  end(): void {
    if (this.remaining > 0) throw new ProtocolError('frame-trailing', `${this.remaining} bytes after the last column`);
  }

  #few(width: number): number {
    const bit = this.#bit + width;
    if (this.#at + (bit + 7) / 8 >= this.#end + 1) throw short();
    const bytes = this.#bytes;
    const at = this.#at;
    const word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    this.#at = at + (bit >> 3);
    const value = (word >>> this.#bit) & ((1 << width) - 1);
    this.#bit = bit & 7;
    return value;
  }
}

function short(): ProtocolError {
  return new ProtocolError('frame-short', 'the batch ends inside a column');
}
