/** A file system that is soon full: a tmpfs, where this user may mount one. */
import { mkdtempSync, rmdirSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa, execaSync } from 'execa';

export interface SmallDisk extends AsyncDisposable {
  path: string;
  /** Takes all room that is left. */
  fill(): Promise<void>;
  /** Gives it back. */
  free(): Promise<void>;
}

/** Mounts one over the folder, which has to be there. */
export async function mountSmallDisk(path: string, sizeBytes: number): Promise<SmallDisk> {
  await execa('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes},mode=0700`, 'tmpfs', path]);
  const filler = join(path, 'filler');
  return {
    path,
    async fill() {
      await using file = await open(filler, 'w');
      try {
        for (;;) await file.write(Buffer.alloc(64 * 1024, 1));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    },
    free: () => rm(filler, { force: true }),
    [Symbol.asyncDispose]: async () => void (await execa('umount', ['--lazy', path])),
  };
}

/** For `it.skipIf`: mounting needs root, and is forbidden in many containers. */
export function canMount(): boolean {
  const path = mkdtempSync(join(tmpdir(), 'flotilla-mount-'));
  try {
    const options = { reject: false };
    const mounted = execaSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', path], options).exitCode === 0;
    if (mounted) execaSync('umount', [path]);
    return mounted;
  } finally {
    rmdirSync(path);
  }
}
