import { Buffer } from 'node:buffer';
import type { ByteWriter } from '../byte-writer.ts';
import type { ColumnSchema } from './schema.ts';
import { RangeModel } from './range-coder.ts';
import { rangeContext } from './coding.ts';
import type { Dictionary, DictionaryShelf } from './dictionary.ts';
import { maxExact } from './limit.ts';

/** The last two values of one stream in each column of its schema; strings count as their numbers, bytes as lengths. */
export class StreamMemory {
  readonly last: Float64Array;
  readonly before: Float64Array;
  /** Values so far, up to 2. */
  readonly seen: Uint8Array;
  /**
   * Longs that are no exact double: their cell holds NaN. Column × 2, + 1 for the one before; 0 where there is none.
   * Made when the first comes: most streams never have one.
   */
  #wide: BigInt64Array | undefined;

  constructor(slots: number) {
    this.last = new Float64Array(slots);
    this.before = new Float64Array(slots);
    this.seen = new Uint8Array(slots);
  }

  wideLast(slot: number): bigint {
    return this.#wide?.[slot * 2] || BigInt(this.last[slot]!);
  }

  wideBefore(slot: number): bigint {
    return this.#wide?.[slot * 2 + 1] || BigInt(this.before[slot]!);
  }

  /** All of it as bytes, the same on both ends: for the state's token. Nothing while there is no value. */
  describe(out: ByteWriter): void {
    const seen = [...this.seen.keys()].filter((slot) => this.seen[slot]! > 0);
    out.varint(seen.length);
    for (const slot of seen) {
      out.varint(slot);
      out.byte(this.seen[slot]!);
      writeDouble(out, this.last[slot]!);
      writeDouble(out, this.before[slot]!);
      for (const key of [slot * 2, slot * 2 + 1]) out.uint64(BigInt.asUintN(64, this.#wide?.[key] ?? 0n));
    }
  }

  wideLastOrNumber(slot: number): number | bigint {
    return this.#wide?.[slot * 2] || this.last[slot]!;
  }

  set(slot: number, last: number, before: number, seen: number): void {
    this.last[slot] = last;
    this.before[slot] = before;
    this.seen[slot] = seen;
    this.#wide?.fill(0n, slot * 2, slot * 2 + 2);
  }

  setWide(slot: number, last: bigint, before: bigint, seen: number): void {
    this.set(slot, narrow(last), narrow(before), seen);
    if (Number.isNaN(this.last[slot])) this.#wideCells()[slot * 2] = last;
    if (Number.isNaN(this.before[slot])) this.#wideCells()[slot * 2 + 1] = before;
  }

  #wideCells(): BigInt64Array {
    return (this.#wide ??= new BigInt64Array(this.last.length * 2));
  }

  /** About what it takes in memory. */
  get heldBytes(): number {
    return 512 + this.last.length * 17 + (this.#wide?.byteLength ?? 0);
  }
}

function writeDouble(out: ByteWriter, value: number): void {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  out.bytes(bytes);
}

/** A long as a double, or NaN where arithmetic on it would not be exact. */
export function narrow(value: bigint): number {
  const number = Number(value);
  return number < maxExact && number > -maxExact ? number : NaN;
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

  constructor(schema: ColumnSchema, shelf: DictionaryShelf) {
    const { slots } = schema;
    this.schema = schema;
    this.domains = new Uint8Array(slots.length);
    this.dictionaries = slots.map(({ kind }) => (kind === 'string' ? shelf.make() : undefined));
    this.deltas = slots.map(() => new RunningMean());
    this.slopes = slots.map(() => new RunningMean());
  }

  /** Sizes in one domain say nothing about another. */
  setDomain(slot: number, domain: number): void {
    if (this.domains[slot] === domain) return;
    this.domains[slot] = domain;
    this.deltas[slot] = new RunningMean();
    this.slopes[slot] = new RunningMean();
  }

  /** What `setDomain` changes. */
  saveDomains(): { domains: Uint8Array; deltas: RunningMean[]; slopes: RunningMean[] } {
    return { domains: this.domains.slice(), deltas: [...this.deltas], slopes: [...this.slopes] };
  }

  restoreDomains({ domains, deltas, slopes }: ReturnType<SchemaMemory['saveDomains']>): void {
    this.domains.set(domains);
    for (let slot = 0; slot < domains.length; slot += 1) {
      this.deltas[slot] = deltas[slot]!;
      this.slopes[slot] = slopes[slot]!;
    }
  }

  streamMemory(): StreamMemory {
    return new StreamMemory(this.schema.slots.length);
  }

  /** The column's probabilities in the range coder, made when they are first needed. */
  model(slot: number): RangeModel {
    return (this.#models[slot] ??= fresh());
  }

  /** About what it takes in memory, without the dictionaries. */
  get heldBytes(): number {
    const models = this.#models.filter((model) => model !== undefined).length;
    return this.schema.slots.length * 512 + models * rangeContext.count * 3;
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

  /** As in StreamMemory; parts that were made and never used leave no trace. */
  describe(out: ByteWriter): void {
    out.bytes(this.domains);
    this.schema.slots.forEach((_, slot) => {
      const strings = this.dictionaries[slot]?.strings ?? [];
      out.varint(strings.length);
      for (const text of strings) out.block(Buffer.from(text, 'latin1'));
      for (const mean of [this.deltas[slot]!, this.slopes[slot]!]) {
        out.byte(mean.count);
        out.uint64(BigInt(mean.sixteenths));
      }
      const model = this.#models[slot];
      const isUsed = model?.seen.some((count) => count > 0) === true;
      out.byte(isUsed ? 1 : 0);
      if (!isUsed) return;
      for (const chance of model.chance) out.uint16(chance);
      out.bytes(model.seen);
    });
    (this.recent ?? new StreamMemory(0)).describe(out);
  }
}
