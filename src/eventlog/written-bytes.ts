import { existsSync } from 'node:fs';

/** The unit of getrusage(2) on Linux. */
const blockBytes = 512;
/** Where the kernel counts at all, it counts here: getrusage(2) says 0 when it does not. */
const counterFile = '/proc/self/io';

/**
 * What the kernel has counted for this process as on its way to a disk: pages made dirty, so a page that is written
 * again after a sync counts again, as it does on flash. Undefined where the kernel has no such count.
 */
export function writtenBytes(): number | undefined {
  return existsSync(counterFile) ? writtenBlocks() * blockBytes : undefined;
}

function writtenBlocks(): number {
  return process.resourceUsage().fsWrite;
}

/**
 * Adds up what pieces of work have written. To ask the kernel twice for each takes a ninth of what reading the thread's
 * own counter from /proc does; in return, what another thread writes in the same moment is counted with it.
 */
export class WriteMeter {
  #blocks = 0;
  readonly #tells = writtenBytes() !== undefined;

  /** Undefined: the kernel does not tell. */
  get bytes(): number | undefined {
    return this.#tells ? this.#blocks * blockBytes : undefined;
  }

  measure<T>(work: () => T): T {
    if (!this.#tells) return work();
    const before = writtenBlocks();
    try {
      return work();
    } finally {
      this.#blocks += writtenBlocks() - before;
    }
  }
}
