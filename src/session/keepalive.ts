/**
 * Only what was received proves a link; sending proves nothing. A ping leaves when nothing was received for a while:
 * `idleMs` at rest, `answerMs` when something of ours waits for an answer. A ping unanswered for `answerMs` is the end.
 */
export class Keepalive {
  /** Infinity: never ask at rest (the coordinator's side). */
  idleMs: number;
  readonly answerMs: number;
  #receivedMs: number;
  #askedMs: number | undefined;
  #askedAtRest = false;
  /** When the oldest unanswered thing of ours was sent. */
  #waitingSinceMs: number | undefined;

  constructor(idleMs: number, answerMs: number, nowMs: number) {
    this.idleMs = idleMs;
    this.answerMs = answerMs;
    this.#receivedMs = nowMs;
  }

  get receivedMs(): number {
    return this.#receivedMs;
  }

  /** The ping that is out was asked for by silence alone: its answer, or none, tells about the way. */
  get askedAtRest(): boolean {
    return this.#askedAtRest;
  }

  /** A PING of ours was answered; true when it had tried a silence of `idleMs`. */
  answered(): boolean {
    const atRest = this.#askedAtRest;
    this.#askedAtRest = false;
    return atRest;
  }

  received(nowMs: number): void {
    this.#receivedMs = nowMs;
    this.#askedMs = undefined;
    if (this.#waitingSinceMs !== undefined) this.#waitingSinceMs = nowMs;
  }

  /** Does something of ours wait for an answer? */
  waiting(is: boolean, nowMs: number): void {
    if (!is) this.#waitingSinceMs = undefined;
    else this.#waitingSinceMs ??= nowMs;
  }

  deadlineMs(): number {
    if (this.#askedMs !== undefined) return this.#askedMs + this.answerMs;
    const waitingMs = this.#waitingSinceMs === undefined ? Infinity : this.#waitingSinceMs + this.answerMs;
    return Math.min(this.#receivedMs + this.idleMs, waitingMs);
  }

  /** What the passing of time asks for. */
  tick(nowMs: number): 'ping' | 'dead' | undefined {
    if (nowMs < this.deadlineMs()) return undefined;
    if (this.#askedMs !== undefined) return 'dead';
    this.#askedMs = nowMs;
    this.#askedAtRest = nowMs >= this.#receivedMs + this.idleMs;
    return 'ping';
  }
}
