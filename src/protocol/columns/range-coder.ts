import { ProtocolError } from '../protocol-error.ts';

/**
 * A binary arithmetic coder with adaptive probabilities. The interval [low, high] of 32-bit numbers is cut at
 * `low + floor((high - low) × p / 2^15)`: up to there means one, above it zero. Leading bytes that both ends share
 * leave the coder. The reader sees zero bytes after the last.
 */

const one = 32_767;
/** After so many symbols a probability moves by a constant share. */
const rateSteps = 60;
const rate = Int32Array.from({ length: rateSteps + 1 }, (_, seen) => Math.floor(131_072 / (2 * seen + 3)));

/** Probabilities of a one in 1/2^15, and how many symbols each has seen. */
export class RangeModel {
  readonly chance: Uint16Array;
  readonly seen: Uint8Array;

  constructor(contexts: number) {
    this.chance = new Uint16Array(contexts).fill(1 << 14);
    this.seen = new Uint8Array(contexts);
  }

  copyFrom(other: { chance: Uint16Array; seen: Uint8Array }): void {
    this.chance.set(other.chance);
    this.seen.set(other.seen);
  }
}

function learn(model: RangeModel, context: number, bit: number): void {
  const p = model.chance[context]!;
  const n = model.seen[context]!;
  const moved = p + ((((bit === 1 ? one : 0) - p) * rate[n]!) >> 16);
  model.chance[context] = moved < 32 ? 32 : moved > one - 31 ? one - 31 : moved;
  if (n < rateSteps) model.seen[context] = n + 1;
}

function cut(low: number, high: number, chance: number): number {
  const span = (high - low) >>> 0;
  return (low + (span >>> 15) * chance + (((span & one) * chance) >>> 15)) >>> 0;
}

export class RangeEncoder {
  #buffer = new Uint8Array(1024);
  #length = 0;
  #low = 0;
  #high = 0xffff_ffff;

  get length(): number {
    return this.#length;
  }

  clear(): void {
    this.rollBack({ length: 0, low: 0, high: 0xffff_ffff });
  }

  /** For an attempt that may be taken back. */
  mark(): { length: number; low: number; high: number } {
    return { length: this.#length, low: this.#low, high: this.#high };
  }

  rollBack(mark: { length: number; low: number; high: number }): void {
    this.#length = mark.length;
    this.#low = mark.low;
    this.#high = mark.high;
  }

  bit(model: RangeModel, context: number, bit: number): void {
    this.#narrow(cut(this.#low, this.#high, model.chance[context]!), bit);
    learn(model, context, bit);
  }

  /** A bit that is as likely one as zero. */
  evenBit(bit: number): void {
    this.#narrow(cut(this.#low, this.#high, 1 << 14), bit);
  }

  /** Ends the stream with as few bytes as name a number of the interval; trailing zero bytes are left out. */
  finish(): Uint8Array {
    const low = this.#low;
    const high = this.#high;
    for (let bytes = 0; bytes <= 4; bytes += 1) {
      const unit = 2 ** (32 - 8 * bytes);
      const value = Math.ceil(low / unit) * unit;
      if (value <= high) {
        for (let n = 0; n < bytes; n += 1) this.#push(Math.floor(value / 2 ** (24 - 8 * n)) & 0xff);
        break;
      }
    }
    while (this.#length > 0 && this.#buffer[this.#length - 1] === 0) this.#length -= 1;
    return this.#buffer.subarray(0, this.#length);
  }

  #narrow(middle: number, bit: number): void {
    let low = this.#low;
    let high = this.#high;
    if (bit === 1) high = middle;
    else low = middle + 1;
    while ((low ^ high) >>> 24 === 0) {
      this.#push(high >>> 24);
      low = (low << 8) >>> 0;
      high = ((high << 8) | 0xff) >>> 0;
    }
    this.#low = low;
    this.#high = high;
  }

  #push(byte: number): void {
    if (this.#length === this.#buffer.length) {
      const grown = new Uint8Array(this.#length * 2);
      grown.set(this.#buffer);
      this.#buffer = grown;
    }
    this.#buffer[this.#length++] = byte;
  }
}

export class RangeDecoder {
  readonly #bytes: Uint8Array;
  #at = 0;
  #low = 0;
  #high = 0xffff_ffff;
  #value = 0;

  constructor(bytes: Uint8Array) {
    if (bytes.at(-1) === 0) throw new ProtocolError('value', 'the range coder’s bytes end with a zero byte');
    this.#bytes = bytes;
    for (let n = 0; n < 4; n += 1) this.#value = ((this.#value << 8) | this.#next()) >>> 0;
  }

  bit(model: RangeModel, context: number): number {
    const bit = this.#split(cut(this.#low, this.#high, model.chance[context]!));
    learn(model, context, bit);
    return bit;
  }

  evenBit(): number {
    return this.#split(cut(this.#low, this.#high, 1 << 14));
  }

  /** Refuses bytes that no symbol has used. */
  end(): void {
    if (this.#at < this.#bytes.length) throw new ProtocolError('frame-trailing', 'unused bytes of the range coder');
  }

  #split(middle: number): number {
    let low = this.#low;
    let high = this.#high;
    const bit = this.#value <= middle ? 1 : 0;
    if (bit === 1) high = middle;
    else low = middle + 1;
    while ((low ^ high) >>> 24 === 0) {
      low = (low << 8) >>> 0;
      high = ((high << 8) | 0xff) >>> 0;
      this.#value = ((this.#value << 8) | this.#next()) >>> 0;
    }
    this.#low = low;
    this.#high = high;
    return bit;
  }

  #next(): number {
    const byte = this.#at < this.#bytes.length ? this.#bytes[this.#at]! : 0;
    this.#at += 1;
    return byte;
  }
}
