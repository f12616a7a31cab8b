import type { BlockIndex } from './block-index.ts';

/** Bytes of the target that the source has: `length` of them from `from` on, at `at` of the target's window. */
export interface SourceMatch {
  readonly at: number;
  readonly from: number;
  readonly length: number;
}

/** What is shorter costs as much to say as to send. */
const minBytes = 12;
const leapBytes = 4_096;

/** What of a window of the target the source has, from left to right and without overlap. */
export function matchSource(index: BlockIndex, window: Buffer, guess: number): SourceMatch[] {
  const { source, blockBytes } = index;
  const matches: SourceMatch[] = [];
  /** Where the source goes on if the target still runs beside it; from one window to the next, too. */
  let shift = guess;
  let start = 0;
  let hashed = -1;
  let hash = 0;
  for (let at = 0; at < window.length;) {
    const beside = at + shift;
    let from = -1;
    let length = 0;
    if (beside >= 0 && beside < source.length && source[beside] === window[at]) {
      length = commonLength(source, beside, window, at);
      if (length >= minBytes) from = beside;
    }
    if (length < 4 * blockBytes && at + blockBytes <= window.length) {
      hash = hashed === at - 1 && hashed >= 0 ? index.roll(hash, window, at - 1) : index.hash(window, at);
      hashed = at;
      const found = index.find(hash);
      if (found >= 0 && source[found] === window[at]) {
        const other = commonLength(source, found, window, at);
        if (other >= blockBytes && other > 2 * length) {
          from = found;
          length = other;
        }
      }
    }
    if (from < 0) {
      at++;
      continue;
    }
    // What was taken for new may belong to the match.
    let back = 0;
    while (at - back > start && from - back > 0 && source[from - back - 1] === window[at - back - 1]) back++;
    matches.push({ at: at - back, from: from - back, length: length + back });
    shift = from - at;
    at += length;
    start = at;
  }
  return matches;
}

/** How many bytes are the same from there on. */
export function commonLength(left: Uint8Array, leftAt: number, right: Uint8Array, rightAt: number): number {
  const most = Math.min(left.length - leftAt, right.length - rightAt);
  let length = 0;
  const near = Math.min(most, 64);
  while (length < near && left[leftAt + length] === right[rightAt + length]) length++;
  if (length < near) return length;
  while (length + leapBytes <= most && isSame(left, leftAt + length, right, rightAt + length, leapBytes))
    length += leapBytes;
  while (length < most && left[leftAt + length] === right[rightAt + length]) length++;
  return length;
}

function isSame(left: Uint8Array, leftAt: number, right: Uint8Array, rightAt: number, count: number): boolean {
  return Buffer.compare(left.subarray(leftAt, leftAt + count), right.subarray(rightAt, rightAt + count)) === 0;
}
