import { readdirSync, readFileSync } from 'node:fs';
import { shellName } from '../../src/agent/machine/waiting-process.ts';

/** Pids of the shells that wait for a command, children of this process. */
export function waitingShells(parentPid: number): number[] {
  return childrenOf(parentPid).filter((pid) => linesOf(`/proc/${pid}/cmdline`, '\0')[0] === shellName);
}

/** proc_pid_task_tid_children(5). */
export function childrenOf(parentPid: number): number[] {
  return readdirSync(`/proc/${parentPid}/task`)
    .flatMap((task) => linesOf(`/proc/${parentPid}/task/${task}/children`, ' '))
    .map(Number);
}

/** Nothing where there is no such process any more. */
function linesOf(path: string, separator: string): string[] {
  try {
    return readFileSync(path, 'utf8').split(separator).filter(Boolean);
  } catch {
    return [];
  }
}
