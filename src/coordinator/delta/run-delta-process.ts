import { constants, setPriority } from 'node:os';
import { execa } from 'execa';
import { FlotillaError } from '../../error.ts';
import type { MakeDelta } from './delta-maker.ts';

/** What the process says on stdout when it has not made a delta. */
interface Refusal {
  refused: { code: string; message: string; seen?: string };
}

/** Makes a delta in a process of its own, behind everything else: it takes seconds of a core and much memory. */
export function deltaProcess(entry: string, signal: AbortSignal): MakeDelta {
  return async ({ beforePath, afterPath, outputPath }) => {
    const child = execa(process.execPath, [entry, beforePath, afterPath, outputPath], {
      cancelSignal: signal,
      stdin: 'pipe', // ends with this process, however that ends
      stderr: ['pipe'],
    });
    if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_LOW);
    const { stdout } = await child;
    if (stdout === '') return;
    const { code, message, seen } = (JSON.parse(stdout) as Refusal).refused;
    throw new FlotillaError('refused', code, message, seen === undefined ? {} : { seen });
  };
}
