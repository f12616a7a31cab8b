import { fold, unfold } from './coding.ts';
import { maxExact, maxResidual } from './limit.ts';

/** A whole number modulo 2^64: a double where its size is below 2^48, else a signed 64-bit bigint. */
export type Whole = number | bigint;

function normal(value: bigint): Whole {
  const signed = BigInt.asIntN(64, value);
  const number = Number(signed);
  return number < maxExact && number > -maxExact ? number : signed;
}

export function whole(value: Whole): Whole {
  return typeof value === 'number' && value < maxExact && value > -maxExact ? value : normal(BigInt(value));
}

/** Differences and sums of two stay far below 2^53 while both are doubles. */
export function minus(a: Whole, b: Whole): Whole {
  return typeof a === 'number' && typeof b === 'number' ? whole(a - b) : normal(BigInt(a) - BigInt(b));
}

export function plus(a: Whole, b: Whole): Whole {
  return typeof a === 'number' && typeof b === 'number' ? whole(a + b) : normal(BigInt(a) + BigInt(b));
}

/** Zigzag: a double below 2^52, else an unsigned 64-bit bigint. */
export function foldWhole(value: Whole): Whole {
  if (typeof value === 'number') return fold(value);
  const folded = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  return folded < BigInt(maxResidual) * 2n ? Number(folded) : folded;
}

export function unfoldWhole(folded: Whole): Whole {
  if (typeof folded === 'number') return whole(unfold(folded));
  return normal((folded >> 1n) ^ -(folded & 1n));
}
