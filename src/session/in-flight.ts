/** What was sent and not yet acknowledged, oldest first: sizes and times alone, the rows themselves stay in the log. */
interface Sent {
  /** Last sequence number (or byte count) that this item reaches. */
  upTo: number;
  bytes: number;
  atMs: number;
}

export class InFlight {
  #queue: Sent[] = [];
  #head = 0;
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get empty(): boolean {
    return this.#head === this.#queue.length;
  }

  push(upTo: number, bytes: number, atMs: number): void {
    this.#queue.push({ upTo, bytes, atMs });
    this.#bytes += bytes;
  }

  /** Takes off everything up to and including `upTo`. */
  settle(upTo: number, nowMs: number): { bytes: number; delayMs: number } {
    let bytes = 0;
    let delayMs = 0;
    for (
      let first = this.#queue[this.#head];
      first !== undefined && first.upTo <= upTo;
      first = this.#queue[this.#head]
    ) {
      bytes += first.bytes;
      delayMs = nowMs - first.atMs;
      this.#head += 1;
    }
    this.#bytes -= bytes;
    if (this.#head === this.#queue.length) {
      this.#queue.length = 0;
      this.#head = 0;
    } else if (this.#head > 64 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    return { bytes, delayMs };
  }
}
