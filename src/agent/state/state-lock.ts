import { DatabaseSync } from 'node:sqlite';
import { FlotillaError } from '../../error.ts';

/**
 * Takes the state folder for this process: an exclusive lock that the kernel drops when the process ends, however it
 * ends. Two agents on one state would run jobs twice.
 */
export function lockState(file: string): { release(): void } {
  const lock = new DatabaseSync(file, { timeout: 0 });
  try {
    lock.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (cause) {
    lock.close();
    throw new FlotillaError('refused', 'agent-state-locked', 'another agent works on this state folder', {
      seen: `${file} is locked`,
      suggestion: 'stop the other agent, or give this one its own `state:` folder',
      cause,
    });
  }
  return { release: () => lock.close() };
}
