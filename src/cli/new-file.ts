import { mkdir, open, rm, rmdir, type FileHandle } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { FlotillaError, systemErrorCode } from '../error.ts';

/** Room that each place holds until it is filled: what goes in is a key, a certificate or a configuration. */
const roomBytes = 16 * 1024;

/**
 * Files that must not exist before: all places are taken first, then filled, then kept. Without `keep()` (an error in
 * between) the block's end removes every one of them, so that nothing half-written stays. A place holds its room on the
 * disk: a full disk is told before anything is asked of others.
 */
export class NewFiles implements AsyncDisposable {
  readonly #handles = new Map<string, FileHandle>();
  /** Folders made here, outermost first. */
  readonly #folders: string[] = [];
  #kept = false;

  /** Makes the folder and its parents where they are missing; without `keep()` they are gone again. */
  async folder(path: string, mode = 0o755): Promise<void> {
    try {
      const first = await mkdir(path, { recursive: true, mode });
      if (first === undefined) return;
      const made: string[] = [];
      for (let at = resolve(path); at.length >= resolve(first).length; at = dirname(at)) made.unshift(at);
      this.#folders.push(...made);
    } catch (error) {
      throw notWritable(path, error);
    }
  }

  /** Creates the file, empty. `mode` 0o600 for secrets. */
  async reserve(path: string, mode = 0o644): Promise<void> {
    let handle: FileHandle;
    try {
      handle = await open(path, 'wx', mode);
    } catch (error) {
      const code = systemErrorCode(error);
      if (code === 'EEXIST') {
        throw new FlotillaError('refused', 'file-exists', `${path} exists and is not overwritten`, {
          suggestion: 'name another file, or move this one away',
          cause: error,
        });
      }
      throw notWritable(path, error);
    }
    this.#handles.set(path, handle);
    await handle.write(Buffer.alloc(roomBytes), 0, roomBytes, 0);
    await handle.datasync();
  }

  /** Writes and syncs what belongs into a reserved place. */
  async fill(path: string, data: string | Uint8Array): Promise<void> {
    const handle = this.#handles.get(path);
    if (handle === undefined) throw new FlotillaError('ours', 'file-not-reserved', `${path} was not reserved`);
    await handle.writeFile(data); // from the start: the room was taken without moving the position
    await handle.truncate(Buffer.byteLength(data));
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
    if (this.#kept) return;
    // Not empty means that somebody else uses it by now.
    for (const folder of this.#folders.toReversed()) await rmdir(folder).catch(() => undefined);
  }
}

function notWritable(path: string, cause: unknown): unknown {
  const code = systemErrorCode(cause);
  if (code === 'ENOSPC' || code === 'EDQUOT') return cause;
  return new FlotillaError('usage', 'file-not-writable', `${path} can't be written`, {
    seen: code ?? String(cause),
    suggestion: 'check the path and the permissions of its folder',
    cause,
  });
}
