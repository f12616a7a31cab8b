/**
 * A column of whole numbers starts with its method byte:
 *
 *     bits 0-2  coding of the residuals
 *     bits 3-4  predictor; residual = value - prediction, modulo 2^64
 *     bit  5    all residuals are divided: varint divisor (2 and up) follows
 *     bit  6    floats and doubles: the column's domain has changed, one byte follows (before the divisor)
 *     bit  7    a start for the column: 8 bytes follow (after the domain, before the divisor), two's complement, little-
 *               endian, that take the place of cell 0 (see Chain)
 */
export const Coding = {
  zero: 0, //   nothing follows: all residuals are 0
  constant: 1, // signed value
  runs: 2, //   varint runs (2 and up) · each: signed value · varint length - 1, left out of the last
  pack: 3, //   u8 width | 0x40 when there are exceptions · signed least · n × width bits · exceptions
  rice: 4, //   u8 k | 0x40 when a middle follows · [signed middle] · Rice codes of zigzag(residual - middle)
  range: 5, //  nothing here: in the range coder's bytes at the end of the batch
  plain: 6, //  u8 width in bytes (1 to 8) · n × two's complement, little-endian
} as const;
export type Coding = (typeof Coding)[keyof typeof Coding];

export const Predictor = {
  none: 0, //   0
  delta: 1, //  first predecessor
  slope: 2, //  twice the first predecessor, less the second
  row: 3, //    the value before in the column
} as const;
export type Predictor = (typeof Predictor)[keyof typeof Predictor];

export const dividedBit = 0x20;
export const domainBit = 0x40;
export const startBit = 0x80;
/** In the byte of a width or of k: a further part follows. */
export const partBit = 0x40;

/** A Rice quotient of so many ones is an escape: 6 bits (length - 1) and the whole number follow. */
export const riceEscape = 20;

/** Bits of `value`, a whole number from 0 to 2^53. */
export function bitLength(value: number): number {
  return value < 0x1_0000_0000 ? 32 - Math.clz32(value) : 64 - Math.clz32(value / 0x1_0000_0000);
}

/** 0 -1 1 -2 2 … ↦ 0 1 2 3 4 … */
export function fold(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

export function unfold(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

export function varintBytes(value: number): number {
  return value < 0x80 ? 1 : Math.ceil(bitLength(value) / 7);
}

/** folded >> k; by a shift where that is exact. */
export function riceQuotient(folded: number, k: number): number {
  return folded < 0x8000_0000 && k < 32 ? folded >>> k : Math.floor(folded / 2 ** k);
}

export function riceBits(folded: number, k: number): number {
  const quotient = riceQuotient(folded, k);
  return quotient < riceEscape ? quotient + 1 + k : riceEscape + 6 + bitLength(folded);
}

/**
 * Contexts of one column in the range coder: a residual is the number of bits of its size (six binary decisions, a
 * tree of 64), its sign (after the sign of the residual before), then the bits below the highest: the first two are
 * modelled for each number of bits, the others are even.
 */
export const rangeContext = { bits: 0, sign: 64, mantissa: 67, count: 67 + 52 * 3 } as const;
