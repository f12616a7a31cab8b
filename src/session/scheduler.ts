/**
 * Which queue sends next: strictly the first one that can, except that one turn in `shareEvery` belongs to the last
 * one that can, so that a chatty alarm never stops telemetry or a download for good.
 */
export class Scheduler {
  readonly #shareEvery: number;
  #turn = 0;

  constructor(shareEvery = 8) {
    this.#shareEvery = shareEvery;
  }

  /** `ready[i]`: queue i, from most to least urgent, has something that may leave. */
  pick(ready: readonly boolean[]): number | undefined {
    const first = ready.indexOf(true);
    if (first === -1) return undefined;
    const last = ready.lastIndexOf(true);
    if (first === last) return first; // nobody waits: no turn is counted
    this.#turn += 1;
    if (this.#turn < this.#shareEvery) return first;
    this.#turn = 0;
    return last;
  }
}
