import { closeSync, fdatasyncSync, fstatSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { systemErrorCode } from '../../error.ts';
import { NotReturned, type ReturnedResult, type Returner } from './returner.ts';

/** Appends results as lines of JSON; the file is set aside before it grows too large, `path.1` is the newest of those. */
export class FileReturner implements Returner {
  readonly #option: { path: string; maxBytes: number; keep: number };
  #handle: number | undefined;
  #bytes = 0;

  constructor(option: { path: string; maxBytes: number; keep: number }) {
    this.#option = option;
  }

  async deliver(result: ReturnedResult): Promise<void> {
    const line = Buffer.from(`${JSON.stringify(result)}\n`);
    try {
      this.#open();
      if (this.#bytes > 0 && this.#bytes + line.length > this.#option.maxBytes) this.#setAside();
      const before = this.#bytes;
      const written = writeSync(this.#handle!, line);
      this.#bytes = before + written;
      // A disk that is full within a line: what is there of it is closed, so that the next line is one of its own.
      if (written < line.length) throw new Error('the disk is full');
    } catch (error) {
      this.close();
      throw new NotReturned(`${this.#option.path}: ${systemErrorCode(error) ?? String(error)}`, { retry: true });
    }
  }

  sync(): void {
    if (this.#handle !== undefined) fdatasyncSync(this.#handle);
  }

  close(): void {
    if (this.#handle === undefined) return;
    closeSync(this.#handle);
    this.#handle = undefined;
  }

  #open(): void {
    if (this.#handle !== undefined) return;
    const { path } = this.#option;
    mkdirSync(dirname(path), { recursive: true });
    this.#handle = openSync(path, 'a+', 0o640);
    this.#bytes = fstatSync(this.#handle).size;
  }

  #setAside(): void {
    const { path, keep } = this.#option;
    this.sync();
    this.close();
    const name = (number: number): string => (number === 0 ? path : `${path}.${number}`);
    rmSync(name(keep), { force: true }); // with keep 0 the file itself begins anew
    for (let number = keep - 1; number >= 0; number -= 1) {
      try {
        renameSync(name(number), name(number + 1));
      } catch (error) {
        if (systemErrorCode(error) !== 'ENOENT') throw error;
      }
    }
    this.#open();
  }
}
