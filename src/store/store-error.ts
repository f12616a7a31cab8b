import { FlotillaError } from '../error.ts';

/** Primary result codes of SQLite (the low byte of the extended ones). */
export const Sqlite = { busy: 5, ioError: 10, corrupt: 11, full: 13, cannotOpen: 14, notADatabase: 26 } as const;

/** What SQLite said, as the one clear sentence that a person gets. */
export function asStoreError(error: unknown, path: string): FlotillaError {
  if (error instanceof FlotillaError) return error;
  const cause = error;
  const seen = error instanceof Error ? error.message : String(error);
  switch (sqliteCode(error)) {
    case Sqlite.full:
      return new FlotillaError('failed', 'disk-full', 'the disk of the coordinator is full', {
        seen: `${path}: ${seen}`,
        suggestion: 'free some space and try again; nothing was changed',
        cause,
      });
    case Sqlite.notADatabase:
    case Sqlite.corrupt:
      return new FlotillaError('ours', 'store-corrupt', `the database ${path} is damaged or is no database`, {
        seen,
        suggestion: 'restore the file from a backup; copy it away first, with its -wal and -shm',
        cause,
      });
    case Sqlite.busy:
      return new FlotillaError('refused', 'store-busy', `another process writes to ${path}`, {
        seen,
        suggestion: 'flotilla coordinator status',
        cause,
      });
    case Sqlite.cannotOpen:
    case Sqlite.ioError:
      return new FlotillaError('ours', 'store-unusable', `the database ${path} can't be read or written`, {
        seen,
        suggestion: 'look at the permissions and at the disk',
        cause,
      });
    default:
      return new FlotillaError('ours', 'store-failed', `the database ${path} refused a statement`, { seen, cause });
  }
}

export function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return undefined;
  return error.errcode % 256;
}
