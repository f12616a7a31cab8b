import type { Clock } from '../../clock.ts';
import { Rush } from './rush.ts';

/** In one turn of the loop: a fan-out to the whole fleet must not keep everybody else waiting. */
const maxFlushesPerTick = 128;
/** What gives way to a rush leaves after this, rush or not. */
const maxYieldMs = 2_000;
const lookEveryMs = 50;

export interface Flushable {
  flush(): void;
  /** It waits in the queue: for the queue alone to change. */
  queued: boolean;
  /** It gives way: for the queue alone to change. */
  yields: boolean;
}

/** Who has something to write: each is flushed once, in this turn of the loop or a later one. */
export class FlushQueue<T extends Flushable> {
  readonly #clock: Pick<Clock, 'monotonicMs' | 'schedule'>;
  readonly #rush = new Rush();
  #waiting: T[] = [];
  /** Of `#waiting`: those before it had their turn. */
  #next = 0;
  #scheduled = false;
  #yielding: T[] = [];
  /** The first of `#yielding` goes then at the latest, and all others with it. */
  #yieldUntilMs = 0;

  constructor(clock: Pick<Clock, 'monotonicMs' | 'schedule'>) {
    this.#clock = clock;
  }

  /** Work of which the queue only needs to know that there is much of it. */
  noteWork(): void {
    this.#rush.note(this.#clock.monotonicMs());
  }

  add(item: T): void {
    this.noteWork();
    this.#enqueue(item);
  }

  /** The same for what nobody waits for: in a rush it is the last. */
  addYielding(item: T): void {
    const nowMs = this.#clock.monotonicMs();
    if (!this.#rush.isOn(nowMs)) return this.#enqueue(item);
    if (item.yields || item.queued) return;
    item.yields = true;
    if (this.#yielding.push(item) > 1) return;
    this.#yieldUntilMs = nowMs + maxYieldMs;
    this.#lookAgain();
  }

  #lookAgain(): void {
    this.#clock.schedule(lookEveryMs, () => {
      const nowMs = this.#clock.monotonicMs();
      if (this.#rush.isOn(nowMs) && nowMs < this.#yieldUntilMs) return this.#lookAgain();
      const items = this.#yielding;
      this.#yielding = [];
      for (const item of items) {
        item.yields = false;
        this.#enqueue(item);
      }
    });
  }

  #enqueue(item: T): void {
    if (item.queued) return;
    item.queued = true;
    this.#waiting.push(item);
    this.#schedule();
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

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#run());
  }
}
