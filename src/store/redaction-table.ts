import type { DatabaseSync } from 'node:sqlite';
import type { RedactionRow } from './row.ts';
import type { Statements } from './statement.ts';

/**
 * Takes key and payload out of these rows of the log, and out of every copy of them that the database has: dead
 * letters of the same number, and the output of a job. A row of the log is overwritten where it lies, byte for byte: a
 * row that became shorter could make SQLite rebuild its page, and what a page held before stays in the room that it
 * does not use. The copies are in tables that change, so `eraseRemains` writes those anew.
 */
export function redactEvents(statements: Statements, offsets: readonly number[], marker: RedactionRow): void {
  const letterFields = `key = '', payload = x'', stderr = NULL, reason = 'redacted'`;
  for (const offset of offsets) {
    const row = statements.get('SELECT device, instance, lane, seq, type, key FROM event WHERE offset = ?').get(offset);
    if (row === undefined) continue;
    const { device, instance, lane, seq, type, key } = row;
    statements
      .get('INSERT OR IGNORE INTO redaction (offset, actor, reason, at_ms) VALUES (?,?,?,?)')
      .run(offset, marker.by, marker.reason, marker.atMs);
    statements
      .get(
        `UPDATE event SET key = printf('%.*c', length(CAST(key AS BLOB)), ' '), payload = zeroblob(length(payload))
         WHERE offset = ?`,
      )
      .run(offset);
    if (type === 'flotilla.job') {
      statements
        .get('UPDATE job_device INDEXED BY job_device_parent SET output = NULL WHERE parent = ? AND device = ?')
        .run(key!, device!);
    }
    statements
      .get(`UPDATE dead_letter SET ${letterFields} WHERE offset = ? AND layer IN ('decode', 'handler')`)
      .run(offset);
    // What the coordinator writes itself has no number of its own in a lane.
    if (Number(seq) === 0) continue;
    statements
      .get(
        `UPDATE dead_letter SET ${letterFields}
         WHERE device = ? AND instance = ? AND lane = ? AND seq = ? AND layer IN ('decode', 'handler')`,
      )
      .run(device!, instance!, lane!, seq!);
  }
}

/** Tables that may have pages with remains of what was taken out of them. */
export type ErasableTable = 'dead_letter' | 'job_device';

/**
 * Writes these tables anew, into pages that secure_delete has filled with zeros, and empties the write-ahead log, which
 * has the pages as they were. False: another process reads the log, and it could not be emptied.
 */
export function eraseRemains(database: DatabaseSync, tables: readonly ErasableTable[]): boolean {
  for (const table of tables) {
    database.exec('BEGIN IMMEDIATE');
    try {
      database.exec(`CREATE TEMP TABLE erased AS SELECT * FROM ${table}; DELETE FROM ${table};
        INSERT INTO ${table} SELECT * FROM erased; DROP TABLE erased;`);
      database.exec('COMMIT');
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
  }
  const { busy } = database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get() as { busy: number };
  return busy === 0;
}
