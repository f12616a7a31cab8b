/**
 * What a slow reader has not taken yet: the newest value of each key, in order of first arrival. Bounded by the number
 * of keys, however fast the changes come.
 */
export class Mailbox<T> {
  #values = new Map<string, T>();
  #wake: (() => void) | undefined;
  #closed = false;
  readonly #merge: (older: T, newer: T) => T;

  constructor(merge: (older: T, newer: T) => T = (_, newer) => newer) {
    this.#merge = merge;
  }

  put(key: string, value: T): void {
    const older = this.#values.get(key);
    this.#values.set(key, older === undefined ? value : this.#merge(older, value));
    this.#wake?.();
  }

  close(): void {
    this.#closed = true;
    this.#wake?.();
  }

  /** All that came since the last call; waits for at least one. Undefined once closed and empty. */
  async take(): Promise<Map<string, T> | undefined> {
    while (this.#values.size === 0) {
      if (this.#closed) return undefined;
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
    }
    const taken = this.#values;
    this.#values = new Map();
    return taken;
  }
}
