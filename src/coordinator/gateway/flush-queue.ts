/** In one turn of the loop: a fan-out to the whole fleet must not keep everybody else waiting. */
const maxFlushesPerTick = 128;

/** Who has something to write: each is flushed once, in this turn of the loop or a later one. */
export class FlushQueue<T extends { flush(): void }> {
  readonly #waiting = new Set<T>();
  #scheduled = false;

  add(item: T): void {
    this.#waiting.add(item);
    this.#schedule();
  }

  delete(item: T): void {
    this.#waiting.delete(item);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#run());
  }

  #run(): void {
    this.#scheduled = false;
    let left = maxFlushesPerTick;
    for (const item of this.#waiting) {
      if (left-- === 0) break;
      this.#waiting.delete(item);
      item.flush();
    }
    if (this.#waiting.size > 0) this.#schedule();
  }
}
