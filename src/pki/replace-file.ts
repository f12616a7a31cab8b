import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Puts a whole new file in the place of another one, or of none: whoever reads sees the old one or the new one. */
export async function replaceFile(path: string, data: string, mode: number): Promise<void> {
  const fresh = `${path}.new`;
  await writeSynced(fresh, data, mode);
  await rename(fresh, path);
  await syncFolder(path);
}

/** Writes and syncs; replaces what is there without a word. */
export async function writeSynced(path: string, data: string, mode: number): Promise<void> {
  await rm(path, { force: true }); // the mode of an old one would stay
  const file = await open(path, 'wx', mode);
  try {
    await file.writeFile(data);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes names durable: a rename is in the folder, not in the file. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Overwrites a secret before it is removed: the best that can be done, since a flash disk may keep what was there. */
export async function shredFile(path: string): Promise<void> {
  let file;
  try {
    file = await open(path, 'r+');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  try {
    const { size } = await file.stat();
    await file.write(Buffer.alloc(size), 0, size, 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await rm(path, { force: true });
  await syncFolder(path);
}
