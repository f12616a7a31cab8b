import type { ColumnSchema } from './schema.ts';
import { RangeModel } from './range-coder.ts';
import { rangeContext } from './coding.ts';
import { maxDictionaryBytes, maxDictionaryStrings, maxExact } from './limit.ts';

/** The last two values of one stream in each column of its schema; strings count as their numbers, bytes as lengths. */
export class StreamMemory {
  readonly last: Float64Array;
  readonly before: Float64Array;
  /** Values so far, up to 2. */
  readonly seen: Uint8Array;
  /** Longs that are no exact double: their cell holds NaN. Column × 2, + 1 for the one before. */
  readonly #wide = new Map<number, bigint>();

  constructor(slots: number) {
    this.last = new Float64Array(slots);
    this.before = new Float64Array(slots);
    this.seen = new Uint8Array(slots);
  }

  wideLast(slot: number): bigint {
    return this.#wide.get(slot * 2) ?? BigInt(this.last[slot]!);
  }

  wideBefore(slot: number): bigint {
    return this.#wide.get(slot * 2 + 1) ?? BigInt(this.before[slot]!);
  }

  set(slot: number, last: number, before: number, seen: number): void {
    this.last[slot] = last;
    this.before[slot] = before;
    this.seen[slot] = seen;
    if (this.#wide.size > 0) {
      this.#wide.delete(slot * 2);
      this.#wide.delete(slot * 2 + 1);
    }
  }

  setWide(slot: number, last: bigint, before: bigint, seen: number): void {
    this.set(slot, narrow(last), narrow(before), seen);
    if (Number.isNaN(this.last[slot])) this.#wide.set(slot * 2, last);
    if (Number.isNaN(this.before[slot])) this.#wide.set(slot * 2 + 1, before);
  }
}

/** A long as a double, or NaN where arithmetic on it would not be exact. */
export function narrow(value: bigint): number {
  const number = Number(value);
  return number < maxExact && number > -maxExact ? number : NaN;
}

/** Strings that both ends of a column remember; keys are the bytes as Latin-1. */
export class Dictionary {
  readonly numberOf = new Map<string, number>();
  readonly strings: string[] = [];
  #bytes = 0;

  /** Takes up the new strings of a batch: one that does not fit empties the dictionary first. */
  add(strings: readonly string[]): void {
    for (const text of strings) {
      if (text.length > maxDictionaryBytes) continue;
      if (this.strings.length === maxDictionaryStrings || this.#bytes + text.length > maxDictionaryBytes) {
        this.numberOf.clear();
        this.strings.length = 0;
        this.#bytes = 0;
      }
      this.numberOf.set(text, this.strings.length);
      this.strings.push(text);
      this.#bytes += text.length;
    }
  }
}

/** The mean size of residuals that single events go by: in sixteenths, over the last sixteen or so. */
export class RunningMean {
  sixteenths = 0;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** `folded` is a zigzag number; one far above the mean counts as 16 times it, so that it is soon forgotten. */
  add(folded: number): void {
    const value = this.#count === 0 ? Math.min(folded, 2 ** 40) : Math.min(folded, this.sixteenths + 16);
    if (this.#count < 16) this.#count += 1;
    this.sixteenths += Math.floor((value * 16 - this.sixteenths) / this.#count);
  }
}

const fresh = (): RangeModel => new RangeModel(rangeContext.count);

/** What one direction of a connection remembers of a schema. */
export class SchemaMemory {
  readonly schema: ColumnSchema;
  /** Of floats and doubles: see domain.ts. */
  readonly domains: Uint8Array;
  readonly dictionaries: (Dictionary | undefined)[];
  /** Of the sizes of first and second differences, for single events. */
  readonly deltas: RunningMean[];
  readonly slopes: RunningMean[];
  /** The stream whose row came last. */
  recent: StreamMemory | undefined;
  readonly #models: (RangeModel | undefined)[] = [];

  constructor(schema: ColumnSchema) {
    const { slots } = schema;
    this.schema = schema;
    this.domains = new Uint8Array(slots.length);
    this.dictionaries = slots.map(({ kind }) => (kind === 'string' ? new Dictionary() : undefined));
    this.deltas = slots.map(() => new RunningMean());
    this.slopes = slots.map(() => new RunningMean());
  }

  streamMemory(): StreamMemory {
    return new StreamMemory(this.schema.slots.length);
  }

  /** The column's probabilities in the range coder, made when they are first needed. */
  model(slot: number): RangeModel {
    return (this.#models[slot] ??= fresh());
  }

  saveModels(): { chance: Uint16Array; seen: Uint8Array }[] {
    return this.#models.map((model) => ({
      chance: (model ?? fresh()).chance.slice(),
      seen: (model ?? fresh()).seen.slice(),
    }));
  }

  /** Back to what `saveModels` gave; models made since then start over. */
  restoreModels(saved: readonly { chance: Uint16Array; seen: Uint8Array }[]): void {
    this.#models.forEach((model, slot) => model?.copyFrom(saved[slot] ?? fresh()));
  }

  get models(): readonly (RangeModel | undefined)[] {
    return this.#models;
  }
}
