export interface KeepaliveIntervalOption {
  startMs: number;
  /** Never longer, however well it goes. */
  maxMs: number;
  /** Never shorter, however badly. */
  minMs: number;
}

const growth = 1.5;

/**
 * How long a device may be silent before the NAT on the way forgets it: found out by trying. An answered ping proves
 * the silence before it, and the next may be half as long again; a link found dead after a silence goes back to the
 * last one that was proved and never tries that long again. Outlives sessions, because only a new one can follow a
 * dead one. Pure.
 */
export class KeepaliveInterval {
  readonly #option: KeepaliveIntervalOption;
  #currentMs: number;
  #provedMs: number | undefined;
  /** The shortest silence that killed a link. */
  #deadlyMs = Infinity;

  constructor(option: KeepaliveIntervalOption) {
    this.#option = option;
    this.#currentMs = Math.max(option.minMs, Math.min(option.startMs, option.maxMs));
  }

  get currentMs(): number {
    return this.#currentMs;
  }

  get provedMs(): number | undefined {
    return this.#provedMs;
  }

  /** What to try once `idleMs` has been proved, at most `capMs`: what the coordinator bears. */
  nextMs(idleMs: number, capMs: number): number {
    const nextMs = Math.floor(Math.min(idleMs * growth, this.#option.maxMs, capMs));
    // Close below a deadly silence is no place to be.
    return nextMs > this.#deadlyMs * 0.9 ? idleMs : Math.max(nextMs, idleMs);
  }

  /** A ping after a silence of `idleMs` was answered; `nextMs` is tried from now on. */
  proved(idleMs: number, nextMs: number): void {
    this.#provedMs = Math.max(this.#provedMs ?? 0, idleMs);
    this.#currentMs = Math.max(this.#currentMs, nextMs);
  }

  /** A ping after a silence of `idleMs` was not answered. */
  lost(idleMs: number): void {
    this.#deadlyMs = Math.min(this.#deadlyMs, idleMs);
    if (this.#provedMs !== undefined && this.#provedMs < idleMs) {
      this.#currentMs = this.#provedMs;
      return;
    }
    // What was good is good no longer: the way is another one.
    this.#provedMs = undefined;
    this.#currentMs = Math.max(this.#option.minMs, Math.floor(idleMs / growth));
  }
}
