/**
 * Processes found by a variable in their environment, which children inherit: one that put itself into a group of its
 * own is found too. Linux only (/proc).
 */
import { readdir, readFile } from 'node:fs/promises';

export interface Mark {
  name: string;
  value: string;
}

/** What all processes of the board in `dir` have. */
export const boardMark = (dir: string): Mark => ({ name: 'FLOTILLA_BOARD_DIR', value: dir });

/** SIGKILL to every process with this mark but `exceptPid`; returns when none is left. */
export async function killMarked(mark: Mark, exceptPid?: number): Promise<void> {
  for (;;) {
    const pids = (await markedPids(mark)).filter((pid) => pid !== exceptPid);
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

export async function markedPids({ name, value }: Mark): Promise<number[]> {
  const mark = Buffer.from(`\0${name}=${value}\0`);
  const pids = (await readdir('/proc')).filter((entry) => /^[0-9]+$/.test(entry)).map(Number);
  const marked = await Promise.all(
    pids.map(async (pid) => {
      // Others' processes cannot be read, ended ones are gone, zombies have no environment left.
      const environment = await readFile(`/proc/${pid}/environ`).catch(() => Buffer.alloc(0));
      return Buffer.concat([Buffer.alloc(1), environment, Buffer.alloc(1)]).includes(mark);
    }),
  );
  return pids.filter((_, index) => marked[index]);
}
