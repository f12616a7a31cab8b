import { randomBytes } from 'node:crypto';
import { open, rename, stat, unlink, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { FlotillaError, systemErrorCode } from '../../error.ts';

/**
 * Writes a file so that `path` holds all of it or what it held before: a temporary file beside it, synced, renamed;
 * the folder is synced too. The temporary file is gone after any failure.
 */
export async function writeFileAtomically(
  path: string,
  fill: (write: (bytes: Uint8Array) => Promise<void>) => Promise<void>,
  { synced = true }: { synced?: boolean } = {},
): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found && !found.isFile() && !found.isDirectory()) return fillFile(path, 'w', path, fill); // a pipe, a device
  await replaceFile(path, (temporary) => fillFile(temporary, 'wx', path, fill), { synced });
}

async function fillFile(
  temporary: string,
  flags: 'w' | 'wx',
  path: string,
  fill: (write: (bytes: Uint8Array) => Promise<void>) => Promise<void>,
): Promise<void> {
  const handle = await open(temporary, flags, 0o644).catch((cause) => {
    throw writeError(path, cause);
  });
  try {
    await fill((bytes) => writeAll(handle, bytes, path));
  } finally {
    await handle.close();
  }
}

/** The same for a file that someone else writes: `make` creates the temporary file it is given the name of. */
export async function replaceFile(
  path: string,
  make: (temporary: string) => Promise<void>,
  { synced = true }: { synced?: boolean } = {},
): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    await make(temporary);
    await (synced ? finish(temporary, path) : rename(temporary, path)).catch((cause) => {
      throw writeError(path, cause);
    });
  } catch (error) {
    await unlink(temporary).catch(() => undefined); // perhaps it was never made
    throw error;
  }
}

async function finish(temporary: string, path: string): Promise<void> {
  await syncFile(temporary);
  await rename(temporary, path);
  await syncFile(dirname(path));
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, path: string): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done).catch((cause) => {
      throw writeError(path, cause);
    });
    done += bytesWritten;
  }
}

/** A file or a folder. */
async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function writeError(path: string, cause: unknown): FlotillaError {
  const code = systemErrorCode(cause);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new FlotillaError('failed', 'disk-full', `no room to write ${path}`, {
      suggestion: 'free some space and run the command again; nothing was left half-written',
      cause,
    });
  }
  return new FlotillaError('usage', 'firmware-output-unwritable', `cannot write ${path}`, {
    seen: cause instanceof Error ? cause.message : String(cause),
    suggestion: 'check the path and the permissions of its folder',
    cause,
    fwup: `error creating archive '${path}': Failed to open '${path}'`,
  });
}
