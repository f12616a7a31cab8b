/** A test rig clipped to the board: it watches the disk's write line and cuts the power while a write is under way. */
import { openSync, readSync, watch } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { kill } from './marked-process.ts';

/** A line on the board's power cable, which is a pipe. */
export interface JigCommand {
  /** Byte offset on the disk: when what stands there changes, the power is gone. */
  cutPowerWhenWritten: number;
}

const probeBytes = 64;

/**
 * Obeys the commands on `cable`. In the board's own process, which otherwise sleeps: from the write to the cut it takes
 * about a millisecond, however busy the machine is with the agent's work.
 */
export function obeyJig(cable: Readable, diskPath: string): void {
  createInterface({ input: cable }).on('line', (line) => {
    const { cutPowerWhenWritten: offset } = JSON.parse(line) as JigCommand;
    const disk = openSync(diskPath, 'r');
    const probe = (): Buffer => {
      const bytes = Buffer.alloc(probeBytes);
      readSync(disk, bytes, 0, probeBytes, offset);
      return bytes;
    };
    const before = probe();
    watch(diskPath, () => {
      if (!probe().equals(before)) kill(-process.pid, 'SIGKILL'); // the whole group: board and agent at once
    });
  });
}
