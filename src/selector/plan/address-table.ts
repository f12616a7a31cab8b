import type { Network } from '../address.ts';
import { readAddress, type AddressWords } from './address-words.ts';

/**
 * The addresses in the values of a column, as 32-bit words in one array: a network is then held against all of them
 * without touching a text. A value is read when it is first asked about. Each value has a word with the number of its
 * IPv4 addresses and 65,536 times that of its IPv6 addresses, then one word for each of the former and four for each of
 * the latter.
 */
export class AddressTable {
  readonly #valueOf: (code: number) => unknown;
  /** By code: where its words start, or 0. */
  #starts = new Uint32Array(64);
  #words = new Uint32Array(256);
  /** Word 0 belongs to nobody. */
  #end = 1;
  /** Words of values that are gone. */
  #waste = 0;

  constructor(valueOf: (code: number) => unknown) {
    this.#valueOf = valueOf;
  }

  /** The value of the code is another one from now on. */
  forget(code: number): void {
    const start = this.#starts[code] ?? 0;
    if (start === 0) return;
    this.#starts[code] = 0;
    this.#waste += sizeOf(this.#words[start]!);
    // Everything is read again, which costs less than to be careful.
    if (this.#waste > this.#end / 2 && this.#end > 4_096) {
      this.#starts = new Uint32Array(64);
      this.#words = new Uint32Array(256);
      this.#end = 1;
      this.#waste = 0;
    }
  }

  /** Is one of the value's addresses in the network? */
  testFor(network: Network): (code: number) => boolean {
    const { base, mask } = wordsOf(network);
    if (network.family === 4) {
      const [value, bits] = [base[0]!, mask[0]!];
      return (code) => {
        const start = this.#startOf(code);
        const end = start + (this.#words[start]! & 0xffff);
        for (let at = start + 1; at <= end; at += 1) if (((this.#words[at]! ^ value) & bits) === 0) return true;
        return false;
      };
    }
    return (code) => {
      const start = this.#startOf(code);
      const head = this.#words[start]!;
      let at = start + 1 + (head & 0xffff);
      for (let left = head >>> 16; left > 0; left -= 1, at += 4) {
        let isInside = true;
        for (let word = 0; word < 4; word += 1) {
          if (((this.#words[at + word]! ^ base[word]!) & mask[word]!) !== 0) isInside = false;
        }
        if (isInside) return true;
      }
      return false;
    };
  }

  #startOf(code: number): number {
    const known = this.#starts[code] ?? 0;
    return known === 0 ? this.#read(code) : known;
  }

  #read(code: number): number {
    const value = this.#valueOf(code);
    const v4: AddressWords[] = [];
    const v6: AddressWords[] = [];
    for (const text of Array.isArray(value) ? (value as unknown[]) : [value]) {
      const words = typeof text === 'string' ? readAddress(text) : undefined;
      if (words !== undefined) (words.length === 1 ? v4 : v6).push(words);
    }
    const head = (Math.min(v4.length, mostOfFamily) | (Math.min(v6.length, mostOfFamily) << 16)) >>> 0;
    const start = this.#end;
    this.#end += sizeOf(head);
    if (this.#end > this.#words.length) this.#words = larger(this.#words, this.#end);
    if (code >= this.#starts.length) this.#starts = larger(this.#starts, code + 1);
    this.#words[start] = head;
    let at = start + 1;
    for (const words of [...v4.slice(0, mostOfFamily), ...v6.slice(0, mostOfFamily)]) {
      this.#words.set(words, at);
      at += words.length;
    }
    this.#starts[code] = start;
    return start;
  }
}

/** A report of grains has no room for more. */
const mostOfFamily = 0xffff;

function sizeOf(head: number): number {
  return 1 + (head & 0xffff) + 4 * (head >>> 16);
}

function larger(array: Uint32Array<ArrayBuffer>, needed: number): Uint32Array<ArrayBuffer> {
  const grown = new Uint32Array(Math.max(needed, array.length * 2));
  grown.set(array);
  return grown;
}

function wordsOf({ family, base, bits }: Network): { base: number[]; mask: number[] } {
  const count = family === 4 ? 1 : 4;
  const words = Array.from({ length: count }, (_, word) => 32 * (count - 1 - word));
  return {
    base: words.map((shift) => Number((base >> BigInt(shift)) & 0xffffffffn)),
    mask: words.map((_, word) => {
      const ones = Math.min(Math.max(bits - 32 * word, 0), 32);
      return ones === 0 ? 0 : -1 << (32 - ones);
    }),
  };
}
