/**
 * Percent from units done: rises only, 0 at the start, 100 only when everything is on the medium, 99 at most before.
 */
export class Progress {
  readonly #report: (percent: number) => void;
  #total = 0;
  #done = 0;
  #last = -1;

  constructor(report: (percent: number) => void = () => undefined) {
    this.#report = report;
  }

  start(): void {
    this.#raise(0);
  }

  expect(totalUnits: number): void {
    this.#total = totalUnits;
  }

  add(units: number): void {
    this.#done += units;
    if (this.#total > 0) this.#raise(Math.min(Math.floor((this.#done * 100) / this.#total), 99));
  }

  finish(): void {
    this.#raise(100);
  }

  #raise(percent: number): void {
    if (percent <= this.#last) return;
    this.#last = percent;
    this.#report(percent);
  }
}
