import type { Clock } from '../../clock.ts';
import { sleep } from '../wait.ts';

/** Lets so many bytes a second through, and what was saved up in one second at once. */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #bytesPerSecond: number;
  /** Below zero: what was taken before it was there. */
  #tokens: number;
  #filledMs: number;

  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock;
    this.#bytesPerSecond = bytesPerSecond;
    this.#tokens = bytesPerSecond;
    this.#filledMs = clock.monotonicMs();
  }

  /** Resolves when they may be fetched. Whoever comes next waits behind. */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    const gained = ((nowMs - this.#filledMs) * this.#bytesPerSecond) / 1_000;
    this.#tokens = Math.min(this.#bytesPerSecond, this.#tokens + gained) - bytes;
    this.#filledMs = nowMs;
    if (this.#tokens >= 0) return;
    await sleep(this.#clock, Math.ceil((-this.#tokens * 1_000) / this.#bytesPerSecond), signal);
  }
}
