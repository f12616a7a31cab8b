/**
 * An immutable list of which single items are replaced at the cost of an array: a job of a hundred thousand devices
 * changes one of them at a time. The newest version has the items; an older one only says in what it differs from the
 * version that came of it, and takes the items over when somebody looks at it again (after a turn that was undone).
 */
export class PersistentList<T> {
  readonly length: number;
  /** Behind `length` may stand what a newer version has appended. */
  #items: T[] | undefined;
  #difference: Difference<T> | undefined;

  private constructor(items: T[], length: number) {
    this.#items = items;
    this.length = length;
  }

  static from<T>(items: readonly T[]): PersistentList<T> {
    return new PersistentList([...items], items.length);
  }

  /** @throws RangeError for an index outside of the list */
  at(index: number): T {
    if (!(index >= 0 && index < this.length)) throw new RangeError(`no item ${index}`);
    return this.#own()[index] as T;
  }

  with(index: number, item: T): PersistentList<T> {
    this.at(index);
    return this.#replace(index, item, this.length);
  }

  append(item: T): PersistentList<T> {
    return this.#replace(this.length, item, this.length + 1);
  }

  /** Over the items as they are now, whatever is replaced meanwhile. */
  [Symbol.iterator](): IterableIterator<T> {
    return this.#own().slice(0, this.length)[Symbol.iterator]();
  }

  #replace(index: number, item: T, length: number): PersistentList<T> {
    const items = this.#own();
    const next = new PersistentList(items, length);
    this.#items = undefined;
    this.#difference = { index, item: items[index] as T, from: next };
    items[index] = item;
    return next;
  }

  #own(): T[] {
    return this.#items ?? this.#takeOver();
  }

  /** Version by version, from the one that has the items back to this one: each then differs the other way round. */
  #takeOver(): T[] {
    const versions: PersistentList<T>[] = [this];
    for (let from = this.#difference?.from; from !== undefined; from = from.#difference?.from) versions.push(from);
    let owner = versions.pop()!;
    const items = owner.#items!;
    for (const version of versions.toReversed()) {
      const { index, item } = version.#difference!;
      owner.#difference = { index, item: items[index] as T, from: version };
      owner.#items = undefined;
      items[index] = item;
      version.#difference = undefined;
      version.#items = items;
      owner = version;
    }
    return items;
  }
}

/** What stands in place of one item of another version. */
interface Difference<T> {
  index: number;
  item: T;
  from: PersistentList<T>;
}
