/** In one turn of the loop: a fan-out to the whole fleet must not keep everybody else waiting. */
const maxFlushesPerTick = 128;

export interface Flushable {
  flush(): void;
  /** It waits in the queue: for the queue alone to change. */
  queued: boolean;
}

/** Who has something to write: each is flushed once, in this turn of the loop or a later one. */
export class FlushQueue<T extends Flushable> {
  #waiting: T[] = [];
  /** Of `#waiting`: those before it had their turn. */
  #next = 0;
  #scheduled = false;

  add(item: T): void {
    if (item.queued) return;
    item.queued = true;
    this.#waiting.push(item);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#run());
  }

  #run(): void {
    this.#scheduled = false;
    const end = Math.min(this.#waiting.length, this.#next + maxFlushesPerTick);
    while (this.#next < end) {
      const item = this.#waiting[this.#next++]!;
      item.queued = false;
      item.flush();
    }
    if (this.#next < this.#waiting.length) this.#schedule();
    else {
      this.#waiting = [];
      this.#next = 0;
    }
  }
}
