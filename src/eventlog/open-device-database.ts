import { DatabaseSync } from 'node:sqlite';
import { chmodSync } from 'node:fs';
import { FlotillaError, systemErrorCode } from '../error.ts';
import { StatementCache } from './statement-cache.ts';

/**
 * Opens the agent's database for the whole agent: WAL, and synchronous=FULL, because a row that was sent and then lost
 * in a power cut would give its number to another event, which the coordinator would drop as a duplicate.
 */
export function openDeviceDatabase(path: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout: 5_000, enableForeignKeyConstraints: true });
    chmodSync(path, 0o600);
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 256');
    // One large transaction does not leave a large journal for good.
    database.exec('PRAGMA journal_size_limit = 1048576');
    return database;
  } catch (cause) {
    database?.close();
    throw new FlotillaError('ours', 'eventlog-open', `the agent's database can't be opened: ${path}`, {
      seen:
        cause instanceof Error
          ? systemErrorCode(cause) === undefined
            ? cause.message
            : `${systemErrorCode(cause)}: ${cause.message}`
          : String(cause),
      suggestion: 'see that its folder exists, belongs to the agent and has room',
      cause,
    });
  }
}

/** Runs `work` in the caller's open transaction, or in one of its own. */
export function atomically<T>(database: DatabaseSync, work: () => T): T {
  return new StatementCache(database).atomically(work);
}
