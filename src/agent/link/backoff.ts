import type { Backoff } from './link-option.ts';

/**
 * How long to wait before the next dial. The first wait after a stable session is uniform, so that a fleet that lost
 * its coordinator in one instant does not come back in one instant; later waits are decorrelated jitter.
 */
export class RetryTimer {
  readonly #backoff: Backoff;
  readonly #random: () => number;
  #previousMs: number | undefined;

  constructor(backoff: Backoff, random: () => number) {
    this.#backoff = backoff;
    this.#random = random;
  }

  /** @param hintMs what the coordinator asked for, 0 for nothing */
  nextMs(hintMs: number): number {
    const { firstMinMs, firstMaxMs, maxMs } = this.#backoff;
    const upperMs = this.#previousMs === undefined ? firstMaxMs : Math.min(maxMs, this.#previousMs * 3);
    const waitMs = firstMinMs + this.#random() * Math.max(0, upperMs - firstMinMs);
    this.#previousMs = Math.max(waitMs, 1);
    // A hint is a floor that the coordinator has spread already; a little of our own keeps rejected devices apart.
    return hintMs > 0 ? Math.max(waitMs, hintMs * (1 + this.#random() / 8)) : waitMs;
  }

  /** A session lived this long. */
  lived(ms: number): void {
    if (ms >= this.#backoff.stableMs) this.#previousMs = undefined;
  }
}
