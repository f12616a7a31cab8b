/** The values of one column of a batch, in row order. */
export class SlotValues {
  count = 0;
  /** Numbers; NaN for a long that stands in `wide`. Strings and bytes: their lengths or numbers, when they are known. */
  values: Float64Array;
  /** The stream of each value, by its number in the batch's group. */
  owner: Int32Array;
  readonly texts: Uint8Array[] = [];
  readonly wide = new Map<number, bigint>();

  /** @param rows room to begin with */
  constructor(rows: number) {
    this.values = new Float64Array(rows);
    this.owner = new Int32Array(rows);
  }

  clear(): void {
    this.count = 0;
    this.texts.length = 0;
    if (this.wide.size > 0) this.wide.clear();
  }

  push(value: number, owner: number): void {
    if (this.count === this.values.length) this.#grow();
    this.values[this.count] = value;
    this.owner[this.count] = owner;
    this.count += 1;
  }

  #grow(): void {
    const values = new Float64Array(this.count * 2);
    const owner = new Int32Array(this.count * 2);
    values.set(this.values);
    owner.set(this.owner);
    this.values = values;
    this.owner = owner;
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
