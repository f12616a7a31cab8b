import type { WireEvent } from '../wire/event-set.ts';

const hourMs = 3_600_000;

/** The same readings for every contender, over and over with times that go on: nothing repeats. */
export class EventSource {
  readonly #events: readonly WireEvent[];
  readonly #spanMs: number;
  #next = 0;

  constructor(events: readonly WireEvent[]) {
    this.#events = events;
    this.#spanMs = events.at(-1)!.tsMs - events[0]!.tsMs + hourMs;
  }

  take(count: number): WireEvent[] {
    return Array.from({ length: count }, () => {
      const event = this.#events[this.#next % this.#events.length]!;
      const tsMs = event.tsMs + Math.floor(this.#next / this.#events.length) * this.#spanMs;
      this.#next += 1;
      return { ...event, tsMs, row: { ...event.row, timestampMs: tsMs } };
    });
  }
}
