import { open, rm, type FileHandle } from 'node:fs/promises';
import { FlotillaError, systemErrorCode } from '../error.ts';

/**
 * Files that must not exist before: all places are taken first, then filled, then kept. Without `keep()` (an error in
 * between) the block's end removes every one of them, so that nothing half-written stays.
 */
export class NewFiles implements AsyncDisposable {
  readonly #handles = new Map<string, FileHandle>();
  #kept = false;

  /** Creates the file, empty. `mode` 0o600 for secrets. */
  async reserve(path: string, mode = 0o644): Promise<void> {
    try {
      this.#handles.set(path, await open(path, 'wx', mode));
    } catch (error) {
      const code = systemErrorCode(error);
      if (code === 'EEXIST') {
        throw new FlotillaError('refused', 'file-exists', `${path} exists and is not overwritten`, {
          suggestion: 'name another file, or move this one away',
          cause: error,
        });
      }
      throw new FlotillaError('usage', 'file-not-writable', `${path} can't be written`, {
        seen: code ?? String(error),
        cause: error,
      });
    }
  }

  /** Writes and syncs what belongs into a reserved place. */
  async fill(path: string, data: string): Promise<void> {
    const handle = this.#handles.get(path);
    if (handle === undefined) throw new FlotillaError('ours', 'file-not-reserved', `${path} was not reserved`);
    await handle.writeFile(data);
    await handle.sync();
  }

  /** The files stay; returns their paths in the order of reservation. */
  keep(): string[] {
    this.#kept = true;
    return [...this.#handles.keys()];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const [path, handle] of this.#handles) {
      await handle.close();
      if (!this.#kept) await rm(path, { force: true });
    }
  }
}
