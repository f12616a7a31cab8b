import { maxExact } from './limit.ts';

/**
 * How the numbers of a float or double column become whole numbers. Domains 0 to 9 are decimal: value × 10^domain;
 * a value is in one when division gives exactly its bits back. The bit domain orders the IEEE 754 bits of any value
 * like a two's complement number: b when b ≥ 0, else b with all but its sign bit inverted.
 */
export const bitDomain = 15;
export const maxDecimals = 9;
const powers = [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

export type Precision = 'float' | 'double';

export function isDomain(domain: number): boolean {
  return domain <= maxDecimals || domain === bitDomain;
}

/** The whole number of any value in a decimal domain, as the prediction of others: 0 where it is none or too large. */
export function scaled(value: number, domain: number): number {
  const whole = Math.floor(value * powers[domain]! + 0.5);
  return whole < maxExact && whole > -maxExact ? whole : 0;
}

/** The value of a whole number in a decimal domain. */
export function unscaled(whole: number, domain: number, precision: Precision): number {
  const value = whole / powers[domain]!;
  return precision === 'float' ? Math.fround(value) : value;
}

export function isIn(value: number, domain: number, precision: Precision): boolean {
  const whole = Math.floor(value * powers[domain]! + 0.5);
  if (!(whole < maxExact && whole > -maxExact)) return false;
  const back = whole / powers[domain]!;
  if ((precision === 'float' ? Math.fround(back) : back) !== value) return false;
  return whole !== 0 || !Object.is(value, -0);
}

/** The least decimal domain from `from` on that holds all values, or the bit domain. */
export function decimalDomain(
  values: Float64Array,
  start: number,
  end: number,
  precision: Precision,
  from: number,
): number {
  let domain = from;
  for (let i = start; i < end; i += 1) {
    while (!isIn(values[i]!, domain, precision)) {
      domain += 1;
      if (domain > maxDecimals) return bitDomain;
    }
  }
  if (domain === from) return domain;
  // A finer domain holds less large numbers: those before the one that asked for it may be out of it.
  for (let i = start; i < end; i += 1) if (!isIn(values[i]!, domain, precision)) return bitDomain;
  return domain;
}

/** Converts between numbers and their ordered bits. */
export class OrderedBits {
  readonly #view = new DataView(new ArrayBuffer(8));

  float(value: number): number {
    this.#view.setFloat32(0, value);
    const bits = this.#view.getInt32(0);
    return bits >= 0 ? bits : bits ^ 0x7fff_ffff;
  }

  floatOf(ordered: number): number {
    this.#view.setInt32(0, ordered >= 0 ? ordered : ordered ^ 0x7fff_ffff);
    return this.#view.getFloat32(0);
  }

  double(value: number): bigint {
    this.#view.setFloat64(0, value);
    const bits = this.#view.getBigInt64(0);
    return bits >= 0n ? bits : bits ^ 0x7fff_ffff_ffff_ffffn;
  }

  doubleOf(ordered: bigint): number {
    this.#view.setBigInt64(0, ordered >= 0n ? ordered : ordered ^ 0x7fff_ffff_ffff_ffffn);
    return this.#view.getFloat64(0);
  }
}

/** A NaN of any other bits would not survive a JavaScript number; its row travels opaque. */
export const floatNaN = 0x7fc0_0000;
export const doubleNaN = 0x7ff8_0000_0000_0000n;
