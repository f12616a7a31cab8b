/** Rows of one type that the coordinator has: how many, how large, how old; in stretches, not row by row. */
export interface Stretch {
  firstSeq: number;
  lastSeq: number;
  rows: number;
  bytes: number;
  /** Times that stand in the rows: of the first one, and the latest of all. */
  firstMs: number;
  newestMs: number;
}

/** Numbers of one stretch at most: what has to be looked at when a part of it goes. */
export const stretchNumbers = 64;

export interface KeepLimit {
  keepRows: number;
  keepBytes: number;
  /** Older than this is kept no longer. */
  sinceMs: number;
}

/**
 * Retention without a scan: totals, and stretches oldest first. A stretch goes as a whole where it can; the one where
 * a limit lies is looked at row by row, so limits are exact and a million rows take 16,000 entries.
 */
export class KeptRows {
  rows = 0;
  bytes = 0;
  #stretches: Stretch[] = [];
  #head = 0;

  /** The newest rows so far; a stretch that lies in the same window goes on. */
  add(stretch: Stretch): void {
    this.rows += stretch.rows;
    this.bytes += stretch.bytes;
    const last = this.#stretches.at(-1);
    if (this.#head < this.#stretches.length && last !== undefined && sameWindow(last, stretch)) {
      last.lastSeq = stretch.lastSeq;
      last.rows += stretch.rows;
      last.bytes += stretch.bytes;
      last.newestMs = Math.max(last.newestMs, stretch.newestMs);
    } else this.#stretches.push({ ...stretch });
  }

  get oldest(): Stretch | undefined {
    return this.#stretches[this.#head];
  }

  exceeds({ keepRows, keepBytes, sinceMs }: KeepLimit): boolean {
    const { oldest } = this;
    if (oldest === undefined) return false;
    return this.rows > keepRows || this.bytes > keepBytes || oldest.firstMs < sinceMs;
  }

  /** May the oldest stretch go as it is? */
  oldestGoesWhole({ keepRows, keepBytes, sinceMs }: KeepLimit): boolean {
    const { oldest } = this;
    if (oldest === undefined) return false;
    return this.rows - oldest.rows >= keepRows || this.bytes - oldest.bytes >= keepBytes || oldest.newestMs < sinceMs;
  }

  dropOldest(): void {
    const { oldest } = this;
    if (oldest === undefined) return;
    this.rows -= oldest.rows;
    this.bytes -= oldest.bytes;
    this.#head += 1;
    if (this.#head * 2 > this.#stretches.length) {
      this.#stretches = this.#stretches.slice(this.#head);
      this.#head = 0;
    }
  }

  /** The first rows of the oldest stretch are gone; `next` is its first row now. */
  trimOldest(gone: { rows: number; bytes: number }, next: { seq: number; timestampMs: number }): void {
    const { oldest } = this;
    if (oldest === undefined) return;
    oldest.firstSeq = next.seq;
    oldest.firstMs = next.timestampMs;
    oldest.rows -= gone.rows;
    oldest.bytes -= gone.bytes;
    this.rows -= gone.rows;
    this.bytes -= gone.bytes;
  }
}

function sameWindow(a: Stretch, b: Stretch): boolean {
  return Math.floor(a.lastSeq / stretchNumbers) === Math.floor(b.firstSeq / stretchNumbers);
}
