/** Of one turn of the loop, over all connections: a line costs one, and one for each so many bytes of it. */
const unitsATurn = 512;
const bytesAUnit = 4_096;

/**
 * How much the door reads before the rest of the agent has its turn. What does not fit waits in order, so that a flood
 * of one program holds up neither the link nor the other programs for long.
 */
export class TurnBudget {
  #left = unitsATurn;
  #scheduled = false;
  #waiting: (() => void)[] = [];

  get spent(): boolean {
    return this.#left <= 0;
  }

  take(bytes: number): void {
    this.#left -= 1 + Math.floor(bytes / bytesAUnit);
    this.#schedule();
  }

  /** Calls `go` in a later turn, in which there is something left. */
  wait(go: () => void): void {
    this.#waiting.push(go);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#left = unitsATurn;
      for (const go of this.#waiting.splice(0)) go();
    });
  }
}
