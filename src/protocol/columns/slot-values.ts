import { maxBatchRows } from './limit.ts';

/** The values of one column of a batch, in row order. */
export class SlotValues {
  count = 0;
  /** Numbers; NaN for a long that stands in `wide`. Strings and bytes: their lengths or numbers, when they are known. */
  readonly values = new Float64Array(maxBatchRows);
  /** The stream of each value, by its number in the batch's group. */
  readonly owner = new Int32Array(maxBatchRows);
  readonly texts: Uint8Array[] = [];
  readonly wide = new Map<number, bigint>();

  clear(): void {
    this.count = 0;
    this.texts.length = 0;
    if (this.wide.size > 0) this.wide.clear();
  }

  push(value: number, owner: number): void {
    this.values[this.count] = value;
    this.owner[this.count] = owner;
    this.count += 1;
  }

  pushText(text: Uint8Array, owner: number): void {
    this.texts.push(text);
    this.push(text.length, owner);
  }

  pushLong(value: bigint, narrow: number, owner: number): void {
    if (Number.isNaN(narrow)) this.wide.set(this.count, value);
    this.push(narrow, owner);
  }

  /** Back to an earlier count: a row turned out not to fit its schema. */
  cutTo(count: number): void {
    if (this.texts.length > count) this.texts.length = count;
    for (let i = count; i < this.count && this.wide.size > 0; i += 1) this.wide.delete(i);
    this.count = count;
  }

  long(index: number): bigint {
    return this.wide.get(index) ?? BigInt(this.values[index]!);
  }
}
