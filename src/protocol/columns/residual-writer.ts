import type { ByteWriter } from '../byte-writer.ts';
import { BitWriter } from './bit-writer.ts';
import {
  Coding,
  bitLength,
  dividedBit,
  domainBit,
  fold,
  partBit,
  rangeContext,
  riceBits,
  riceEscape,
  riceQuotient,
  startBit,
  varintBytes,
} from './coding.ts';
import type { RangeEncoder, RangeModel } from './range-coder.ts';

interface Attempt {
  coding: Coding;
  bytes: number;
  width: number;
  /** Least value of a pack, middle of Rice codes. */
  origin: number;
}

const signedBytes = (value: number): number => varintBytes(fold(value));

/** Writes residuals (whole numbers below 2^51 in size) in the coding that takes the fewest bytes. */
export class ResidualWriter {
  readonly #bits = new BitWriter();
  readonly #sorted = new Float64Array(1024);
  readonly #range: RangeEncoder | undefined;

  constructor(range: RangeEncoder | undefined) {
    this.#range = range;
  }

  /**
   * Method byte and residuals; divides `residuals` in place where all have a common divisor.
   * @param start what takes the place of cell 0
   */
  write(
    out: ByteWriter,
    residuals: Float64Array,
    length: number,
    predictor: number,
    domain: number | undefined,
    model: RangeModel | undefined,
    start?: bigint,
  ): void {
    let [least, most] = [residuals[0]!, residuals[0]!];
    for (let i = 1; i < length; i += 1) {
      const r = residuals[i]!;
      if (r < least) least = r;
      else if (r > most) most = r;
    }
    let head = predictor << 3;
    if (domain !== undefined) head |= domainBit;
    if (start !== undefined) head |= startBit;
    const isConstant = least === most;
    const divisor = isConstant ? 1 : commonDivisor(residuals, length);
    if (divisor > 1) {
      head |= dividedBit;
      for (let i = 0; i < length; i += 1) residuals[i] = residuals[i]! / divisor;
    }
    const best = isConstant ? constant(least) : this.#cheapest(residuals, length);
    const inRange = isConstant || model === undefined ? undefined : this.#tryRange(residuals, length, best, model);
    out.byte(head | (inRange ?? best.coding));
    if (domain !== undefined) out.byte(domain);
    if (start !== undefined) writeLong(out, start);
    if (divisor > 1) out.varint(divisor);
    if (inRange === undefined) this.#body(out, residuals, length, best);
  }

  #cheapest(residuals: Float64Array, length: number): Attempt {
    const sorted = this.#sorted.subarray(0, length);
    sorted.set(residuals.subarray(0, length));
    sorted.sort();
    const attempts = [bestRice(sorted), bestPack(sorted), runs(residuals, length), plain(sorted)];
    let best = attempts[0]!;
    for (const attempt of attempts) if (attempt.bytes < best.bytes) best = attempt;
    return best;
  }

  #tryRange(residuals: Float64Array, length: number, best: Attempt, model: RangeModel): number | undefined {
    const range = this.#range;
    if (range === undefined) return undefined;
    const mark = range.mark();
    const before = { chance: model.chance.slice(), seen: model.seen.slice() };
    writeRange(range, model, residuals, length);
    if (range.length - mark.length < best.bytes) return Coding.range;
    range.rollBack(mark);
    model.copyFrom(before);
    return undefined;
  }

  #body(out: ByteWriter, residuals: Float64Array, length: number, { coding, width, origin }: Attempt): void {
    switch (coding) {
      case Coding.zero:
      case Coding.range:
        break;
      case Coding.constant:
        out.varint(fold(origin));
        break;
      case Coding.runs:
        writeRuns(out, residuals, length, width);
        break;
      case Coding.pack:
        this.#pack(out, residuals, length, width, origin);
        break;
      case Coding.rice:
        this.#rice(out, residuals, length, width, origin);
        break;
      case Coding.plain:
        writePlain(out, residuals, length, width);
    }
  }

  #pack(out: ByteWriter, residuals: Float64Array, length: number, width: number, least: number): void {
    const bits = this.#bits;
    bits.clear();
    const span = 2 ** width;
    const exceptions: number[] = [];
    for (let i = 0; i < length; i += 1) {
      const value = residuals[i]! - least;
      if (value >= 0 && value < span) {
        bits.bits(value, width);
      } else {
        const high = Math.floor(value / span);
        bits.bits(value - high * span, width);
        exceptions.push(i, high);
      }
    }
    out.byte(width | (exceptions.length > 0 ? partBit : 0));
    out.varint(fold(least));
    out.bytes(bits.finish());
    if (exceptions.length === 0) return;
    out.varint(exceptions.length / 2);
    let next = 0;
    for (let e = 0; e < exceptions.length; e += 2) {
      out.varint(exceptions[e]! - next);
      out.varint(fold(exceptions[e + 1]!));
      next = exceptions[e]! + 1;
    }
  }

  #rice(out: ByteWriter, residuals: Float64Array, length: number, k: number, middle: number): void {
    const bits = this.#bits;
    bits.clear();
    for (let i = 0; i < length; i += 1) writeRice(bits, fold(residuals[i]! - middle), k);
    out.byte(k | (middle === 0 ? 0 : partBit));
    if (middle !== 0) out.varint(fold(middle));
    out.bytes(bits.finish());
  }
}

/** Ones for the quotient, a zero, k bits of the rest; an escape where the quotient is long. */
export function writeRice(bits: BitWriter, folded: number, k: number): void {
  const quotient = riceQuotient(folded, k);
  if (quotient < riceEscape) {
    bits.unary(quotient);
    bits.bits(folded < 0x8000_0000 ? folded - (quotient << k) : folded - quotient * 2 ** k, k);
  } else {
    bits.bits(2 ** riceEscape - 1, riceEscape);
    const length = bitLength(folded);
    bits.bits(length - 1, 6);
    bits.bits(folded, length);
  }
}

/** Eight bytes, two's complement, little-endian. */
export function writeLong(out: ByteWriter, value: bigint): void {
  const low = BigInt.asUintN(64, value);
  for (let shift = 0n; shift < 64n; shift += 8n) out.byte(Number((low >> shift) & 0xffn));
}

function constant(value: number): Attempt {
  const coding = value === 0 ? Coding.zero : Coding.constant;
  return { coding, bytes: value === 0 ? 0 : signedBytes(value), width: 0, origin: value };
}

/** 1 as soon as it is sure. */
function commonDivisor(residuals: Float64Array, length: number): number {
  let divisor = 0;
  for (let i = 0; i < length && divisor !== 1; i += 1) {
    let rest = Math.abs(residuals[i]!);
    while (rest !== 0) [divisor, rest] = [rest, divisor % rest];
  }
  return divisor;
}

function runs(residuals: Float64Array, length: number): Attempt {
  let count = 1;
  let bytes = signedBytes(residuals[0]!);
  let start = 0;
  // More runs than this are never the cheapest.
  for (let i = 1; i < length && count <= length / 4 + 1; i += 1) {
    if (residuals[i] === residuals[i - 1]) continue;
    bytes += varintBytes(i - start - 1) + signedBytes(residuals[i]!);
    start = i;
    count += 1;
  }
  return {
    coding: Coding.runs,
    bytes: count > length / 4 + 1 ? Infinity : bytes + varintBytes(count),
    width: count,
    origin: 0,
  };
}

function plain(sorted: Float64Array): Attempt {
  const size = Math.max(fold(sorted[0]!), fold(sorted.at(-1)!));
  const width = Math.max(1, Math.ceil(bitLength(size) / 8));
  return { coding: Coding.plain, bytes: 1 + width * sorted.length, width, origin: 0 };
}

/** The window of 2^width values that leaves the fewest bytes, exceptions included. */
function bestPack(sorted: Float64Array): Attempt {
  const { length } = sorted;
  const least = sorted[0]!;
  const full = bitLength(sorted[length - 1]! - least);
  const bulk = bitLength(sorted[length - 1 - (length >> 4)]! - sorted[length >> 4]!);
  const best = {
    coding: Coding.pack,
    bytes: 1 + signedBytes(least) + Math.ceil((length * full) / 8),
    width: full,
    origin: least,
  };
  for (let width = Math.max(0, bulk - 2); width < Math.min(full, bulk + 3); width += 1) {
    const bytes = Math.ceil((length * width) / 8) + 2;
    if (bytes >= best.bytes) break;
    const span = 2 ** width;
    let covered = 0;
    let from = 0;
    for (let i = 0, j = 0; j < length; j += 1) {
      while (sorted[j]! - sorted[i]! >= span) i += 1;
      if (j - i + 1 > covered) [covered, from] = [j - i + 1, i];
    }
    // Two bytes is the least for an exception.
    if (bytes + 2 * (length - covered) >= best.bytes) continue;
    const origin = sorted[from]!;
    let total = bytes + signedBytes(origin);
    for (let i = 0; i < length; i += 1) {
      if (i === from) i += covered;
      if (i < length) total += 1 + signedBytes(Math.floor((sorted[i]! - origin) / span));
    }
    if (total < best.bytes) Object.assign(best, { bytes: total, width, origin });
  }
  return best;
}

function bestRice(sorted: Float64Array): Attempt {
  const { length } = sorted;
  const median = sorted[length >> 1]!;
  let [around, plainSum] = [0, 0];
  for (let i = 0; i < length; i += 1) {
    around += Math.abs(sorted[i]! - median);
    plainSum += Math.abs(sorted[i]!);
  }
  const origin = plainSum - around > length / 4 ? median : 0;
  // One outlier would spoil the mean: what most values have decides.
  const typical = Math.max(fold(sorted[length >> 2]! - origin), fold(sorted[(length * 3) >> 2]! - origin));
  const start = Math.min(50, Math.max(0, bitLength(typical) - 2));
  let [k, bits] = [start, Infinity];
  for (let candidate = start; candidate < start + 3; candidate += 1) {
    let sum = 0;
    for (let i = 0; i < length; i += 1) sum += riceBits(fold(sorted[i]! - origin), candidate);
    if (sum >= bits) break;
    [k, bits] = [candidate, sum];
  }
  const bytes = 1 + (origin === 0 ? 0 : signedBytes(origin)) + Math.ceil(bits / 8);
  return { coding: Coding.rice, bytes, width: k, origin };
}

function writeRuns(out: ByteWriter, residuals: Float64Array, length: number, count: number): void {
  out.varint(count);
  let start = 0;
  for (let i = 1; i <= length; i += 1) {
    if (i < length && residuals[i] === residuals[start]) continue;
    out.varint(fold(residuals[start]!));
    if (i < length) out.varint(i - start - 1);
    start = i;
  }
}

function writePlain(out: ByteWriter, residuals: Float64Array, length: number, width: number): void {
  out.byte(width);
  for (let i = 0; i < length; i += 1) {
    let rest = residuals[i]!;
    for (let n = 0; n < width; n += 1) {
      const next = Math.floor(rest / 256);
      out.byte(rest - next * 256);
      rest = next;
    }
  }
}

function writeRange(range: RangeEncoder, model: RangeModel, residuals: Float64Array, length: number): void {
  let signContext: number = rangeContext.sign;
  for (let i = 0; i < length; i += 1) {
    const value = residuals[i]!;
    const size = Math.abs(value);
    const bits = bitLength(size);
    let node = 1;
    for (let n = 5; n >= 0; n -= 1) {
      const bit = (bits >> n) & 1;
      range.bit(model, rangeContext.bits + node, bit);
      node = node * 2 + bit;
    }
    if (bits === 0) {
      signContext = rangeContext.sign;
      continue;
    }
    const sign = value < 0 ? 1 : 0;
    range.bit(model, signContext, sign);
    signContext = rangeContext.sign + 1 + sign;
    const context = rangeContext.mantissa + bits * 3;
    let prefix = 0;
    for (let n = bits - 2; n >= 0; n -= 1) {
      // Most sizes fit 31 bits; shifts are much faster than division.
      const bit = bits < 32 ? (size >>> n) & 1 : Math.floor(size / 2 ** n) % 2;
      const modelled = bits - 2 - n;
      if (modelled < 2) {
        range.bit(model, context + (modelled === 0 ? 0 : 1 + prefix), bit);
        prefix = bit;
      } else {
        range.evenBit(bit);
      }
    }
  }
}
