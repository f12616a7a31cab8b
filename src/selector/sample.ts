import type { SampleTerm } from './ast.ts';

/**
 * Where a device stands in a draw: 32 bits, FNV-1a over the UTF-16 units of salt, line feed and id, then murmur3's
 * finalizer, because FNV alone leaves ids that differ in their last digit beside each other. Never to be changed: ten
 * per cent are the same devices every time.
 */
export function drawNumber(salt: string, id: string): number {
  return finish(fold(fold(0x81_1c_9d_c5, `${salt}\n`), id));
}

function fold(start: number, text: string): number {
  let hash = start;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01_00_01_93);
  }
  return hash;
}

function finish(hash: number): number {
  let mixed = hash ^ (hash >>> 16);
  mixed = Math.imul(mixed, 0x85_eb_ca_6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2_b2_ae_35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** Each device for itself: it stays in the sample whatever comes and goes, and `%10@x` is a part of `%20@x`. */
export function sharesDraw({ amount, salt }: SampleTerm, id: string): boolean {
  return drawNumber(salt, id) < (amount / 100) * 2 ** 32;
}

/** The `amount` devices with the lowest numbers; equal numbers go by id. */
export function drawCount({ amount, salt }: SampleTerm, ids: readonly string[]): ReadonlySet<string> {
  if (ids.length <= amount) return new Set(ids);
  const numbers = Uint32Array.from(ids, (id) => drawNumber(salt, id));
  const limit = numbers.toSorted()[amount - 1] ?? 0;
  const drawn = ids.filter((_, index) => (numbers[index] ?? 0) < limit);
  const level = ids.filter((_, index) => numbers[index] === limit).toSorted();
  return new Set([...drawn, ...level.slice(0, amount - drawn.length)]);
}
