/**
 * How much of what is not urgent may be on its way unacknowledged. The kernel's and the modem's buffers are out of our
 * sight, so the only honest measure of what an urgent frame will wait behind is the time that acknowledgements take.
 * The least time seen is the link itself; what is above it is our own queue.
 */
export interface BulkWindowOption {
  minBytes: number;
  startBytes: number;
  maxBytes: number;
  /** Grow while our own queue takes less than this … */
  growBelowMs: number;
  /** … and the whole way less than this: on a link that needs seconds for one part there is nothing to gain … */
  growUnderMs: number;
  /** … so halve there too, or when our own queue takes more than this. */
  shrinkAboveMs: number;
}

export const defaultBulkWindow: BulkWindowOption = {
  minBytes: 4_096,
  startBytes: 8_192,
  maxBytes: 524_288,
  growBelowMs: 250,
  growUnderMs: 2_000,
  shrinkAboveMs: 1_000,
};

export class BulkWindow {
  readonly #option: BulkWindowOption;
  #limitBytes: number;
  #unackedBytes = 0;
  #leastMs = Infinity;
  /** What the peer has granted. */
  creditBytes = Infinity;

  constructor(option: BulkWindowOption = defaultBulkWindow) {
    this.#option = option;
    this.#limitBytes = option.startBytes;
  }

  get limitBytes(): number {
    return this.#limitBytes;
  }

  get unackedBytes(): number {
    return this.#unackedBytes;
  }

  /** May `bytes` more leave? One item always may when nothing is on its way, however large. */
  admits(bytes: number): boolean {
    return this.#unackedBytes === 0 || this.#unackedBytes + bytes <= Math.min(this.#limitBytes, this.creditBytes);
  }

  sent(bytes: number): void {
    this.#unackedBytes += bytes;
  }

  /** `bytes` were acknowledged, the latest of them `delayMs` after they were sent. */
  acked(bytes: number, delayMs: number): void {
    this.#unackedBytes = Math.max(0, this.#unackedBytes - bytes);
    this.#leastMs = Math.min(this.#leastMs, delayMs);
    const queuedMs = delayMs - this.#leastMs;
    const { minBytes, maxBytes, growBelowMs, growUnderMs, shrinkAboveMs } = this.#option;
    if (queuedMs > shrinkAboveMs || delayMs > growUnderMs)
      this.#limitBytes = Math.max(minBytes, Math.floor(this.#limitBytes / 2));
    else if (queuedMs < growBelowMs && delayMs < growUnderMs) {
      this.#limitBytes = Math.min(maxBytes, this.#limitBytes + bytes);
    }
  }
}
