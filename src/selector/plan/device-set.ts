/**
 * A set of device numbers as one bit each. A million devices take 125 kB, and the algebra of two such sets a few
 * microseconds, so a plan can hold one for each term. Sets of different lengths may meet: what is not there is zero.
 */
export class DeviceSet {
  #words: Uint32Array;

  constructor(words: Uint32Array = new Uint32Array(0)) {
    this.#words = words;
  }

  /** Room for the numbers below `length`, all of them absent. */
  static withRoom(length: number): DeviceSet {
    return new DeviceSet(new Uint32Array(Math.ceil(length / 32)));
  }

  /** For loops that look at 32 devices at a time. */
  get words(): Uint32Array {
    return this.#words;
  }

  has(number: number): boolean {
    return ((this.#words[number >>> 5] ?? 0) & (1 << (number & 31))) !== 0;
  }

  add(number: number): void {
    const at = number >>> 5;
    if (at >= this.#words.length) this.#grow(at + 1);
    this.#words[at]! |= 1 << (number & 31);
  }

  delete(number: number): void {
    const at = number >>> 5;
    if (at < this.#words.length) this.#words[at]! &= ~(1 << (number & 31));
  }

  get size(): number {
    let size = 0;
    for (const word of this.#words) size += countBits(word);
    return size;
  }

  get isEmpty(): boolean {
    return this.#words.every((word) => word === 0);
  }

  copy(): DeviceSet {
    return new DeviceSet(this.#words.slice());
  }

  /** Takes in all of `other`. */
  addAll(other: DeviceSet): void {
    const { words } = other;
    if (words.length > this.#words.length) this.#grow(words.length);
    for (let at = 0; at < words.length; at += 1) this.#words[at]! |= words[at]!;
  }

  /** Keeps only what is in `other` too. */
  keepAll(other: DeviceSet): void {
    const { words } = other;
    for (let at = 0; at < this.#words.length; at += 1) this.#words[at]! &= words[at] ?? 0;
  }

  deleteAll(other: DeviceSet): void {
    const { words } = other;
    const length = Math.min(words.length, this.#words.length);
    for (let at = 0; at < length; at += 1) this.#words[at]! &= ~words[at]!;
  }

  /** In ascending order. */
  forEach(visit: (number: number) => void): void {
    const words = this.#words;
    for (let at = 0; at < words.length; at += 1) {
      let word = words[at]!;
      while (word !== 0) {
        const lowest = word & -word;
        visit((at << 5) + 31 - Math.clz32(lowest));
        word ^= lowest;
      }
    }
  }

  #grow(words: number): void {
    const grown = new Uint32Array(Math.max(words, this.#words.length + (this.#words.length >> 1)));
    grown.set(this.#words);
    this.#words = grown;
  }
}

/** Bits of a word that are one, by adding neighbours in parallel. */
function countBits(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
