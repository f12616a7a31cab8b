/** The same numbers for the same seed, on every machine (mulberry32). */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = (Math.imul(seed, 0x9e3779b1) ^ 0x5f356495) >>> 0;
  }

  #next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** Uniform in [0, 1). */
  share(): number {
    return (this.#next() * 2 ** 21 + (this.#next() >>> 11)) / 2 ** 53;
  }

  /** A whole number from 0 to `count` - 1. */
  below(count: number): number {
    return Math.floor(this.share() * count);
  }

  of<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.#next() & 0xff);
  }

  small(): number {
    return this.below(4);
  }

  /** Numbers where codecs go wrong. */
  wild(): number {
    return this.of([0, 1, 127, 128, 16_383, 16_384, 2 ** 31, 2 ** 32, 2 ** 51 - 1, 2 ** 53 - 1, this.below(2 ** 53)]);
  }

  id(): bigint {
    return this.of([0n, 1n, 9n, 2n ** 63n, 2n ** 64n - 1n]);
  }
}
