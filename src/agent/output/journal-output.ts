import { fstatSync } from 'node:fs';
import type { LogOutput } from '../../log.ts';

/** Of syslog, which the journal takes from the front of a line: by pino's levels, highest first. */
const priorities: readonly (readonly [number, number])[] = [
  [60, 2], // fatal: critical
  [50, 3],
  [40, 4],
  [30, 6],
  [0, 7],
];

/**
 * True when stderr is the journal. systemd tells the device and inode of its socket, and a child of ours whose stderr was
 * redirected inherits the variable with another stderr.
 */
export function isJournal(environment: NodeJS.ProcessEnv): boolean {
  const [device, inode] = (environment['JOURNAL_STREAM'] ?? '').split(':');
  if (!device || !inode) return false;
  try {
    const { dev, ino } = fstatSync(2, { bigint: true });
    return String(dev) === device && String(ino) === inode;
  } catch {
    return false;
  }
}

/** Each line with its priority in front, so that `journalctl -p warning` works; the journal keeps the line as it was. */
export function journalOutput(to: LogOutput): LogOutput {
  return { write: (line) => to.write(`<${priorityOf(line)}>${line}`) };
}

function priorityOf(line: string): number {
  const level = Number(/^\{"level":(\d+)/.exec(line)?.[1] ?? 30);
  return priorities.find(([from]) => level >= from)![1];
}
