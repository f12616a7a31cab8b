import { laneCount, type Lane } from '../../protocol/lane.ts';
import type { ConnectionId } from '../gateway/port.ts';

/** Inputs that wait for the store when a lane is asked to rest, by lane: the least urgent first, control never. */
const restAbove = [Infinity, 16_384, 8_192, 2_048] as const;
/** Before that, whoever sends is held to little on its way; it gets all of it back when it sends in a calmer hour. */
const narrowAbove = 1_024;
const widenBelow = 256;
const narrowBytes = 32_768;
const minPauseMs = 2_000;
const maxPauseMs = 6_000;

/**
 * Back-pressure of the store on the devices that make it: whoever sends while much waits gets less credit, and while too
 * much waits it is asked to rest, at most once for each rest and lane, for a time of its own so that they don't come back
 * together.
 */
export class Pressure {
  readonly #random: () => number;
  readonly #untilMs = new Map<ConnectionId, number[]>();
  /** Connections whose credit was cut. */
  readonly #narrow = new Set<ConnectionId>();

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

  /** @returns what the connection may have on its way from now on, or undefined for as much as before */
  creditBytes(connection: ConnectionId, waiting: number): number | undefined {
    if (this.#narrow.has(connection)) {
      if (waiting >= widenBelow) return undefined;
      this.#narrow.delete(connection);
      return Number.MAX_SAFE_INTEGER;
    }
    if (waiting <= narrowAbove) return undefined;
    this.#narrow.add(connection);
    return narrowBytes;
  }

  forget(connection: ConnectionId): void {
    this.#narrow.delete(connection);
    this.#untilMs.delete(connection);
  }
}
