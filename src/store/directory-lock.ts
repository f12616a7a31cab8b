import { DatabaseSync } from 'node:sqlite';
import { FlotillaError } from '../error.ts';

export interface DirectoryLock {
  release(): void;
}

/**
 * Holds a file for this process alone, or returns undefined when another process has it. The lock is the kernel's
 * (through SQLite's file locks): it ends with the process, however that ends, so there is never a stale one.
 */
export function acquireLock(path: string): DirectoryLock | undefined {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout: 0 });
    database.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    database?.close();
    if (cause instanceof Error && 'errcode' in cause && cause.errcode === 5) return undefined;
    throw new FlotillaError('ours', 'lock-unusable', `the lock file ${path} can't be used`, {
      seen: cause instanceof Error ? cause.message : String(cause),
      cause,
    });
  }
  const held = database;
  return { release: () => held.close() };
}
