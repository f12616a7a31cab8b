import { dictionaryStringBytes, maxDictionariesBytes, maxDictionaryBytes, maxDictionaryStrings } from './limit.ts';

/** Strings that both ends of a column remember; keys are the bytes as Latin-1. */
export class Dictionary {
  readonly numberOf = new Map<string, number>();
  readonly strings: string[] = [];
  readonly #shelf: DictionaryShelf;
  #bytes = 0;

  constructor(shelf: DictionaryShelf) {
    this.#shelf = shelf;
  }

  /**
   * Takes up the new strings of a batch or event, once all of its columns are done: one that does not fit empties the
   * dictionary first, and one that does not fit the shelf empties all of them.
   */
  add(strings: readonly string[]): void {
    for (const text of strings) {
      if (text.length > maxDictionaryBytes) continue;
      if (this.strings.length === maxDictionaryStrings || this.#bytes + text.length > maxDictionaryBytes) {
        this.#shelf.give(this.clear());
      }
      this.#shelf.take(text.length + dictionaryStringBytes);
      this.numberOf.set(text, this.strings.length);
      this.strings.push(text);
      this.#bytes += text.length;
    }
  }

  /** Returns what its strings have counted for on the shelf. */
  clear(): number {
    const counted = this.#bytes + this.strings.length * dictionaryStringBytes;
    this.numberOf.clear();
    this.strings.length = 0;
    this.#bytes = 0;
    return counted;
  }
}

/** All dictionaries of one direction of a connection: what they hold together is bounded, alike on both ends. */
export class DictionaryShelf {
  readonly #all: Dictionary[] = [];
  #bytes = 0;

  /** What the strings count for. */
  get bytes(): number {
    return this.#bytes;
  }

  make(): Dictionary {
    const dictionary = new Dictionary(this);
    this.#all.push(dictionary);
    return dictionary;
  }

  take(bytes: number): void {
    if (this.#bytes + bytes > maxDictionariesBytes) {
      for (const dictionary of this.#all) dictionary.clear();
      this.#bytes = 0;
    }
    this.#bytes += bytes;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}
