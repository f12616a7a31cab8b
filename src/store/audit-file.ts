import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { RawEntry } from '../audit/index.ts';
import { FlotillaError } from '../error.ts';
import { readRawAudit } from './audit-table.ts';
import { Statements } from './statement.ts';
import { asStoreError } from './store-error.ts';

/** The audit log in a database that nobody serves, or that a coordinator has open: read-only, as it is. */
export interface AuditFile extends Disposable {
  fleetId: string;
  instanceId: string;
  /** The newest signed head as the database has it. */
  checkpoint: string | undefined;
  /** In order; all of one moment. @throws FlotillaError `store-corrupt` where a page can't be read */
  rows(): Generator<RawEntry>;
  /** What SQLite's own check says; `ok`, or the first fault. */
  quickCheck(): string;
}

const pageRows = 1_000;

/** @throws FlotillaError `store-missing`, `store-corrupt`, `store-no-audit`, `store-unusable` */
export function openAuditFile(path: string): AuditFile {
  if (!existsSync(path)) {
    throw new FlotillaError('usage', 'store-missing', `there is no database ${path}`, {
      suggestion: 'name the fleet with --fleet-dir; a coordinator that was never started has no database yet',
    });
  }
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { readOnly: true, timeout: 2_000 });
    database.exec('BEGIN'); // one moment, though a coordinator goes on writing
    const opened = database;
    const statements = new Statements(opened);
    const tables = statements.get("SELECT name FROM sqlite_schema WHERE name IN ('audit', 'meta')").all();
    const columns = statements.get("SELECT name FROM pragma_table_info('audit') WHERE name = 'hash'").all();
    if (tables.length < 2 || columns.length === 0) throw noAudit(path);
    const meta = (key: string): string | undefined =>
      (statements.get('SELECT value FROM meta WHERE key = ?').get(key) as { value: string } | undefined)?.value;
    return {
      fleetId: meta('fleetId') ?? '',
      instanceId: meta('instanceId') ?? '',
      checkpoint: meta('auditCheckpoint'),
      *rows() {
        try {
          let from = -Number.MAX_SAFE_INTEGER;
          for (;;) {
            const page = readRawAudit(statements, from, pageRows);
            yield* page;
            if (page.length < pageRows) return;
            from = Number(String(page.at(-1)!.seq)) + 1;
          }
        } catch (error) {
          throw asStoreError(error, path);
        }
      },
      quickCheck: () => (statements.get('PRAGMA quick_check(1)').get() as { quick_check: string }).quick_check,
      [Symbol.dispose]: () => opened.close(),
    };
  } catch (error) {
    database?.close();
    throw asStoreError(error, path);
  }
}

function noAudit(path: string): FlotillaError {
  return new FlotillaError('failed', 'store-no-audit', `${path} has no audit log`, {
    expected: 'a database that this version of the coordinator has opened once',
    suggestion: 'start the coordinator once; if it had been, somebody has removed the log: restore a backup',
  });
}
