import { readFileSync } from 'node:fs';

/**
 * What the kernel has counted for this thread as on its way to a disk: pages made dirty, so a page that is written
 * again after a sync counts again, as it does on flash. Undefined where the kernel has no such count, or no disk.
 */
export function writtenBytes(): number | undefined {
  try {
    const found = /^write_bytes: (\d+)$/m.exec(readFileSync('/proc/thread-self/io', 'latin1'));
    return found === null ? undefined : Number(found[1]);
  } catch {
    return undefined;
  }
}

/** Adds up what pieces of work have written. */
export class WriteMeter {
  #bytes = 0;
  #told = writtenBytes() !== undefined;

  /** Undefined: the kernel does not tell. */
  get bytes(): number | undefined {
    return this.#told ? this.#bytes : undefined;
  }

  measure<T>(work: () => T): T {
    const before = this.#told ? writtenBytes() : undefined;
    try {
      return work();
    } finally {
      const after = before === undefined ? undefined : writtenBytes();
      if (before === undefined || after === undefined) this.#told = false;
      else this.#bytes += Math.max(0, after - before);
    }
  }
}
