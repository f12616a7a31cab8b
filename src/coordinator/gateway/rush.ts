/** More work than this within so long: a core's share of its day, and every bit that can wait is in somebody's way. */
const rushSize = 256;
const windowMs = 100;

/** Tells when connections write and are heard by the thousand: a job on a large fleet. */
export class Rush {
  #windowEndsMs = 0;
  #count = 0;
  #endsMs = 0;

  /** A connection writes something, or has told something. */
  note(nowMs: number): void {
    if (nowMs >= this.#windowEndsMs) {
      this.#windowEndsMs = nowMs + windowMs;
      this.#count = 0;
    }
    this.#count += 1;
    if (this.#count > rushSize) this.#endsMs = nowMs + windowMs;
  }

  isOn(nowMs: number): boolean {
    return nowMs < this.#endsMs;
  }
}
