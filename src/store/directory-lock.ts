import { DatabaseSync } from 'node:sqlite';
import { FlotillaError } from '../error.ts';
import { asStoreError, Sqlite, sqliteCode } from './store-error.ts';

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
    if (sqliteCode(cause) === Sqlite.busy) return undefined;
    if (sqliteCode(cause) === Sqlite.full) throw asStoreError(cause, path);
    throw new FlotillaError('ours', 'lock-unusable', `the lock file ${path} can't be used`, {
      seen: cause instanceof Error ? cause.message : String(cause),
      suggestion:
        sqliteCode(cause) === Sqlite.notADatabase
          ? `remove it: rm ${path} (it holds nothing)`
          : 'look at the owner and mode of its folder, and at the disk',
      cause,
    });
  }
  const held = database;
  return { release: () => held.close() };
}
