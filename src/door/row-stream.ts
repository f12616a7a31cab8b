/** Rows of one request that watches, for one reader: kept until they are taken, in order. */
export class RowStream<Row> implements AsyncIterableIterator<Row> {
  readonly #rows: Row[] = [];
  readonly #onReturn: () => void;
  #waiting: PromiseWithResolvers<IteratorResult<Row>> | undefined;
  #end: { error?: Error } | undefined;

  /** @param onReturn the reader has left */
  constructor(onReturn: () => void) {
    this.#onReturn = onReturn;
  }

  put(row: Row): void {
    if (this.#waiting === undefined) this.#rows.push(row);
    else this.#settle()!.resolve({ done: false, value: row });
  }

  end(error?: Error): void {
    this.#end ??= error === undefined ? {} : { error };
    const waiting = this.#settle();
    if (error === undefined) waiting?.resolve({ done: true, value: undefined });
    else waiting?.reject(error);
  }

  next(): Promise<IteratorResult<Row>> {
    if (this.#rows.length > 0) return Promise.resolve({ done: false, value: this.#rows.shift()! });
    if (this.#end?.error !== undefined) return Promise.reject(this.#end.error);
    if (this.#end !== undefined) return Promise.resolve({ done: true, value: undefined });
    this.#waiting = Promise.withResolvers();
    return this.#waiting.promise;
  }

  return(): Promise<IteratorResult<Row>> {
    this.#onReturn();
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #settle(): PromiseWithResolvers<IteratorResult<Row>> | undefined {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    return waiting;
  }
}
