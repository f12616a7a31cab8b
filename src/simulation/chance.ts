/** The same draws for the same seed, on every machine (mulberry32). */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = (Math.imul(seed, 0x9e3779b1) ^ 0x5f356495) >>> 0;
  }

  /** Uniform in [0, 1), in steps of 2^-32. */
  share(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** So many of them: the whole part of `share` of all, and one more with the chance of the rest. */
  part<T>(items: readonly T[], share: number): T[] {
    const wanted = items.length * share;
    const count = Math.floor(wanted) + (this.share() < wanted % 1 ? 1 : 0);
    if (count >= items.length) return [...items];
    const left = [...items];
    for (let at = 0; at < count; at += 1) {
      const other = at + Math.floor(this.share() * (left.length - at));
      [left[at], left[other]] = [left[other]!, left[at]!];
    }
    return left.slice(0, count);
  }
}
