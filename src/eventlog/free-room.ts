import { statfsSync } from 'node:fs';

/** Bytes that this process may still write to the file system of `path`; undefined when it does not tell. */
export function freeRoom(path: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}

/** Bytes of the file system of `path` in all; undefined when it does not tell. */
export function wholeRoom(path: string): number | undefined {
  try {
    const { blocks, bsize } = statfsSync(path);
    return blocks * bsize;
  } catch {
    return undefined;
  }
}
