/** How everything that was done is taken back, last things first; or, when all went well, what is tidied up after it. */
export class Undo {
  readonly #back: (() => Promise<unknown>)[] = [];
  readonly #tidy: (() => Promise<unknown>)[] = [];

  /** Before the effect, or right after it: `back` must be harmless when the effect did not come about. */
  defer(back: () => Promise<unknown>, tidy?: () => Promise<unknown>): void {
    this.#back.push(back);
    if (tidy !== undefined) this.#tidy.push(tidy);
  }

  /** Takes all of it back, whatever fails on the way; returns what did. */
  async takeBack(): Promise<string[]> {
    const faults: string[] = [];
    for (const back of this.#back.toReversed()) {
      await back().catch((error: unknown) => faults.push(error instanceof Error ? error.message : String(error)));
    }
    return faults;
  }

  /** All stays. What can't be tidied up is no fault: the next run sees it. */
  async keep(): Promise<void> {
    for (const tidy of this.#tidy) await tidy().catch(() => undefined);
  }
}
