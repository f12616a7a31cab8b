import { readFileSync } from 'node:fs';

/** `_SC_CLK_TCK` of every Linux that Node runs on. */
const ticksPerSecond = 100;

/** User and system time of these processes so far, proc_pid_stat(5); ended ones count as nothing. */
export function cpuSecondsOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + cpuOf(pid, 11), 0);
}

/** The same of their children that have ended and were waited for. */
export function childCpuSecondsOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + cpuOf(pid, 13), 0);
}

function cpuOf(pid: number, first: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return (Number(fields[first]) + Number(fields[first + 1])) / ticksPerSecond;
  } catch {
    return 0;
  }
}
