import { laneCount, type Lane } from '../../protocol/lane.ts';
import type { ConnectionId } from '../gateway/port.ts';

/** Inputs that wait for the store when a lane is asked to rest, by lane: the least urgent first, control never. */
const restAbove = [Infinity, 16_384, 8_192, 2_048] as const;
const minPauseMs = 2_000;
const maxPauseMs = 6_000;

/**
 * Back-pressure of the store on the devices that make it: whoever sends while too much waits is asked to rest, at most
 * once for each rest and lane, for a time of its own so that they don't come back together.
 */
export class Pressure {
  readonly #random: () => number;
  readonly #untilMs = new Map<ConnectionId, number[]>();

  constructor(random: () => number) {
    this.#random = random;
  }

  /** @returns how long the lane shall rest, or undefined for not at all */
  pauseMs(connection: ConnectionId, lane: Lane, waiting: number, nowMs: number): number | undefined {
    if (waiting <= restAbove[lane]) return undefined;
    let until = this.#untilMs.get(connection);
    if (until === undefined)
      this.#untilMs.set(connection, (until = Array.from({ length: laneCount }, () => -Infinity)));
    if (nowMs < until[lane]!) return undefined;
    const ms = Math.floor(minPauseMs + this.#random() * (maxPauseMs - minPauseMs));
    until[lane] = nowMs + ms;
    return ms;
  }

  forget(connection: ConnectionId): void {
    this.#untilMs.delete(connection);
  }
}
