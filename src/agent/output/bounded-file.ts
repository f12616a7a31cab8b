import { closeSync, fstatSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { LogOutput } from '../../log.ts';

export interface BoundedFileOption {
  path: string;
  /** The file is set aside before it would grow beyond this. */
  maxBytes: number;
  /** So many that were set aside stay: `path.1` is the newest. */
  keep: number;
}

const flags = 'a';
const mode = 0o640;

/**
 * A log that takes (keep + 1) × maxBytes of the disk at most, and never stands in the way: a line that can't be written
 * (the disk is full, the folder is gone) is counted, and the next one that can tells how many were lost.
 */
export class BoundedFile implements LogOutput {
  readonly #option: BoundedFileOption;
  #handle: number | undefined;
  #bytes = 0;
  #lost = 0;

  constructor(option: BoundedFileOption) {
    this.#option = option;
  }

  write(line: string): void {
    const note = this.#lost === 0 ? '' : `${JSON.stringify({ level: 40, time: new Date().toISOString(), msg: 'log lines were lost', lost: this.#lost })}\n`; // prettier-ignore
    const bytes = Buffer.from(note + line);
    if (bytes.length > this.#option.maxBytes) return this.#lose();
    try {
      this.#open();
      if (this.#bytes > 0 && this.#bytes + bytes.length > this.#option.maxBytes) this.#setAside();
      this.#append(bytes);
      this.#lost = 0;
    } catch {
      this.#lose();
    }
  }

  close(): void {
    if (this.#handle === undefined) return;
    closeSync(this.#handle);
    this.#handle = undefined;
  }

  #lose(): void {
    this.#lost += 1;
  }

  #open(): void {
    if (this.#handle !== undefined) return;
    mkdirSync(dirname(this.#option.path), { recursive: true });
    this.#handle = openSync(this.#option.path, flags, mode);
    this.#bytes = fstatSync(this.#handle).size;
  }

  #append(bytes: Buffer): void {
    const written = writeSync(this.#handle!, bytes);
    this.#bytes += written;
    // A disk that fills up within a line: the rest would look like a line of its own.
    if (written < bytes.length) throw new Error('the line was not written whole');
  }

  #setAside(): void {
    const { path, keep } = this.#option;
    this.close();
    const name = (number: number) => (number === 0 ? path : `${path}.${number}`);
    rmSync(name(keep), { force: true }); // with keep 0 the file itself begins anew
    for (let number = keep - 1; number >= 0; number -= 1) {
      try {
        renameSync(name(number), name(number + 1));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    }
    this.#open();
  }
}
