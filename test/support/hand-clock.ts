import type { Clock } from '../../src/clock.ts';

/** Time goes on by hand. */
export class HandClock implements Clock {
  #ms = 0;
  #timers: { atMs: number; fn: () => void }[] = [];

  nowMs = () => this.#ms;
  monotonicMs = () => this.#ms;

  schedule(delayMs: number, fn: () => void): () => void {
    const timer = { atMs: this.#ms + delayMs, fn };
    this.#timers.push(timer);
    return () => (this.#timers = this.#timers.filter((each) => each !== timer));
  }

  advance(byMs: number): void {
    this.#ms += byMs;
    const due = this.#timers.filter(({ atMs }) => atMs <= this.#ms);
    this.#timers = this.#timers.filter(({ atMs }) => atMs > this.#ms);
    for (const { fn } of due) fn();
  }
}
