import { existsSync, rmSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { FlotillaError } from '../error.ts';
import { migrations } from './migration.ts';
import { asStoreError } from './store-error.ts';

/** `FLOT`: says whose file this is, in SQLite's own header. */
const applicationId = 0x464c4f54;
/** Larger files are checked page by page as they are read, as SQLite always does. */
const maxQuickCheckBytes = 64 * 1024 * 1024;

export interface DatabaseOption {
  path: string;
  /** The file never grows beyond this; a commit that would is refused as a full disk is. */
  maxBytes?: number;
}

/**
 * Opens or creates the coordinator's database: WAL, synchronous=FULL, migrated. A file that it created and could not
 * finish is removed.
 * @throws FlotillaError `store-foreign`, `store-newer`, `store-corrupt`, `store-busy`, `disk-full`, `store-unusable`
 */
export function openDatabase({ path, maxBytes }: DatabaseOption): DatabaseSync {
  const isNew = !existsSync(path);
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout: 2_000 });
    requireOurs(database, path);
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;');
    database.exec('PRAGMA secure_delete = ON;'); // what is redacted is overwritten, not only forgotten
    // A job on a large fleet touches some megabytes of pages: by default they are read again and again, and copied into
    // the file so often that it takes a seventh of the thread's time.
    database.exec('PRAGMA cache_size = -32768; PRAGMA wal_autocheckpoint = 4096;');
    if (maxBytes !== undefined) {
      const pageSize = pragma(database, 'page_size');
      database.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(maxBytes / pageSize))}`);
    }
    if (!isNew && statSync(path).size <= maxQuickCheckBytes) requireSound(database, path);
    migrate(database, path);
    return database;
  } catch (error) {
    database?.close();
    if (isNew) for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
    throw asStoreError(error, path);
  }
}

function requireOurs(database: DatabaseSync, path: string): void {
  const owner = pragma(database, 'application_id');
  if (owner === applicationId) return;
  const tables = database.prepare('SELECT count(*) AS count FROM sqlite_schema').get() as { count: number };
  if (owner === 0 && tables.count === 0) return;
  throw new FlotillaError('usage', 'store-foreign', `${path} is the database of another program`, {
    seen: `application id ${owner}, ${tables.count} tables or indexes`,
    expected: "a Flotilla coordinator's database, or no file",
    suggestion: 'name another data folder in coordinator.yaml, or move the file away',
  });
}

function requireSound(database: DatabaseSync, path: string): void {
  const row = database.prepare('PRAGMA quick_check(1)').get() as { quick_check: string };
  if (row.quick_check === 'ok') return;
  throw new FlotillaError('ours', 'store-corrupt', `the database ${path} is damaged`, {
    seen: row.quick_check,
    suggestion: 'restore the file from a backup; copy it away first, with its -wal and -shm',
  });
}

function migrate(database: DatabaseSync, path: string): void {
  const version = pragma(database, 'user_version');
  if (version > migrations.length) {
    throw new FlotillaError('usage', 'store-newer', `the database ${path} was written by a newer flotilla`, {
      seen: `schema version ${version}`,
      expected: `at most ${migrations.length}`,
      suggestion: 'start the newer version, or restore the backup that was made before the upgrade',
    });
  }
  for (const [index, step] of migrations.entries()) {
    if (index < version) continue;
    database.exec('BEGIN IMMEDIATE');
    if (typeof step === 'string') database.exec(step);
    else step(database);
    database.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${index + 1}; COMMIT;`);
  }
}

function pragma(database: DatabaseSync, name: string): number {
  return Number(Object.values(database.prepare(`PRAGMA ${name}`).get() as Record<string, number>)[0]);
}
