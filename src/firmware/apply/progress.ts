/** What has been reported: percent in a range of the caller's, and the units behind it. */
export interface ProgressReport {
  readonly percent: number;
  readonly doneUnits: number;
  readonly totalUnits: number;
}

export interface ProgressRange {
  readonly low: number;
  readonly high: number;
}

/**
 * Percent from units done: rises only, the low end at the start, the high end only when everything is on the medium,
 * one less at most before.
 */
export class Progress {
  readonly #report: (report: ProgressReport) => void;
  readonly #low: number;
  readonly #range: number;
  #total = 0;
  #done = 0;
  #last = -1;

  constructor(
    report: (report: ProgressReport) => void = () => undefined,
    range: ProgressRange = { low: 0, high: 100 },
  ) {
    this.#report = report;
    this.#low = range.low;
    this.#range = range.high - range.low;
  }

  start(): void {
    this.#raise(this.#low);
  }

  expect(totalUnits: number): void {
    this.#total = totalUnits;
  }

  add(units: number): void {
    this.#done = Math.min(this.#done + units, this.#total);
    if (this.#total === 0) return;
    const part = Math.floor((this.#done * this.#range) / this.#total);
    this.#raise(this.#low + Math.min(part, this.#range - 1));
  }

  finish(): void {
    this.#raise(this.#low + this.#range);
  }

  #raise(percent: number): void {
    if (percent <= this.#last) return;
    this.#last = percent;
    this.#report({ percent, doneUnits: this.#done, totalUnits: this.#total });
  }
}
