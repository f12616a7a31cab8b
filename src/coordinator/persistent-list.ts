const chunkSize = 256;

/** An immutable list with cheap single replacements: a rollout of a hundred thousand devices changes one at a time. */
export class PersistentList<T> {
  readonly length: number;
  readonly #chunks: readonly (readonly T[])[];

  private constructor(chunks: readonly (readonly T[])[], length: number) {
    this.#chunks = chunks;
    this.length = length;
  }

  static from<T>(items: readonly T[]): PersistentList<T> {
    const chunks: T[][] = [];
    for (let start = 0; start < items.length; start += chunkSize) chunks.push(items.slice(start, start + chunkSize));
    return new PersistentList(chunks, items.length);
  }

  /** @throws RangeError for an index outside of the list */
  at(index: number): T {
    const chunk = this.#chunks[Math.floor(index / chunkSize)];
    if (chunk === undefined || index < 0 || index >= this.length) throw new RangeError(`no item ${index}`);
    return chunk[index % chunkSize] as T;
  }

  with(index: number, item: T): PersistentList<T> {
    this.at(index);
    const position = Math.floor(index / chunkSize);
    const chunk = (this.#chunks[position] as readonly T[]).with(index % chunkSize, item);
    return new PersistentList(this.#chunks.with(position, chunk), this.length);
  }

  append(item: T): PersistentList<T> {
    const last = this.#chunks.at(-1);
    const chunks =
      last === undefined || last.length === chunkSize
        ? [...this.#chunks, [item]]
        : this.#chunks.with(this.#chunks.length - 1, [...last, item]);
    return new PersistentList(chunks, this.length + 1);
  }

  *[Symbol.iterator](): Generator<T> {
    for (const chunk of this.#chunks) yield* chunk;
  }
}
