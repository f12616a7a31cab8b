import { commonLength } from './match-source.ts';

/** A part of the window that the source does not have: as it is, repeated, or copied from earlier in the window. */
export type Fresh =
  | { readonly kind: 'add'; readonly at: number; readonly length: number }
  | { readonly kind: 'run'; readonly at: number; readonly length: number }
  | { readonly kind: 'copy'; readonly at: number; readonly from: number; readonly length: number };

const hashBits = 18;
const minCopy = 4;
const minRun = 8;
/** A copy of four bytes from far away costs what it saves. */
const worthOfDistance = 1 << 14;
const maxProbes = 8;
const longEnough = 128;
const skimStep = 4;

/**
 * Finds what repeats in the fresh parts of a window (LZ77 with chains, RFC 1951 section 4, over the whole window). One
 * for each window; the parts come from left to right.
 */
export class TargetMatcher {
  readonly #window: Uint8Array;
  readonly #head = new Int32Array(1 << hashBits).fill(-1);
  readonly #before: Int32Array;

  constructor(window: Uint8Array) {
    this.#window = window;
    this.#before = new Int32Array(window.length);
  }

  *divide(start: number, end: number): Generator<Fresh, void> {
    let added = start;
    for (let at = start; at < end;) {
      const run = this.#runAt(at, end);
      const copy = run >= minRun ? undefined : this.#copyAt(at, end);
      const length = copy?.length ?? (run >= minRun ? run : 0);
      // A longer copy that begins one byte later is worth waiting for.
      if (length === 0 || (copy !== undefined && length < longEnough && this.#isBetterAfter(at, end, length))) {
        this.#learn(at);
        at++;
        continue;
      }
      const back = copy === undefined ? 0 : this.#sameBefore(copy.from, at, added);
      if (at - back > added) yield { kind: 'add', at: added, length: at - back - added };
      if (copy === undefined) yield { kind: 'run', at, length };
      else yield { kind: 'copy', at: at - back, from: copy.from - back, length: length + back };
      for (const last = at + length; at < last; at++) this.#learn(at);
      added = at;
    }
    if (end > added) yield { kind: 'add', at: added, length: end - added };
  }

  /** Takes in what the source has, too, as far as time allows: what is fresh may look like it. */
  skim(start: number, end: number): void {
    for (let at = start; at < end; at += skimStep) this.#learn(at);
  }

  #isBetterAfter(at: number, end: number, length: number): boolean {
    this.#learn(at);
    const next = this.#copyAt(at + 1, end);
    return next !== undefined && next.length > length + 1;
  }

  /** How far a copy reaches back over bytes that were taken for new. */
  #sameBefore(from: number, at: number, added: number): number {
    const most = Math.min(from, at - added);
    let back = 0;
    while (back < most && this.#window[from - back - 1] === this.#window[at - back - 1]) back++;
    return back;
  }

  #runAt(at: number, end: number): number {
    const byte = this.#window[at]!;
    let length = 1;
    while (at + length < end && this.#window[at + length] === byte) length++;
    return length;
  }

  /** The longest of the earlier places that hold the same. */
  #copyAt(at: number, end: number): { from: number; length: number } | undefined {
    if (at + minCopy > end) return undefined;
    const window = this.#window;
    let from = -1;
    let length = minCopy - 1;
    let candidate = this.#head[this.#hash(at)]!;
    for (let probe = 0; candidate >= 0 && probe < maxProbes; probe++) {
      if (candidate < at && (at + length >= end || window[candidate + length] === window[at + length])) {
        const common = Math.min(commonLength(window, candidate, window, at), end - at);
        if (common > length && (common > minCopy || at - candidate < worthOfDistance)) {
          from = candidate;
          length = common;
          if (length >= longEnough) break;
        }
      }
      candidate = this.#before[candidate]! - 1;
    }
    return from < 0 ? undefined : { from, length };
  }

  #learn(at: number): void {
    if (at + minCopy > this.#window.length) return;
    const slot = this.#hash(at);
    if (this.#head[slot] === at) return;
    this.#before[at] = this.#head[slot]! + 1;
    this.#head[slot] = at;
  }

  #hash(at: number): number {
    const window = this.#window;
    const word = window[at]! | (window[at + 1]! << 8) | (window[at + 2]! << 16) | (window[at + 3]! << 24);
    return Math.imul(word, 0x9e3779b1) >>> (32 - hashBits);
  }
}
