/**
 * All that a board runs, found by a variable in the environment that children inherit: a process of the board that put
 * itself into a group of its own loses power too. Linux only (/proc).
 */
import { readdir, readFile } from 'node:fs/promises';

export const boardVariable = 'FLOTILLA_BOARD_DIR';

/** SIGKILL to every process of the board in `dir` but `exceptPid`; returns when none is left. */
export async function killMarked(dir: string, exceptPid?: number): Promise<void> {
  for (;;) {
    const pids = (await markedPids(dir)).filter((pid) => pid !== exceptPid);
    if (pids.length === 0) return;
    for (const pid of pids) kill(pid, 'SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Signals a process, or with a negative number a group; one that is gone is fine. */
export function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

export async function markedPids(dir: string): Promise<number[]> {
  const mark = Buffer.from(`\0${boardVariable}=${dir}\0`);
  const pids = (await readdir('/proc')).filter((name) => /^[0-9]+$/.test(name)).map(Number);
  const marked = await Promise.all(
    pids.map(async (pid) => {
      // Others' processes cannot be read, ended ones are gone, zombies have no environment left.
      const environment = await readFile(`/proc/${pid}/environ`).catch(() => Buffer.alloc(0));
      return Buffer.concat([Buffer.alloc(1), environment, Buffer.alloc(1)]).includes(mark);
    }),
  );
  return pids.filter((_, index) => marked[index]);
}
