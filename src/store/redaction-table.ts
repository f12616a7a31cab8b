import type { DatabaseSync } from 'node:sqlite';
import type { RedactionRow } from './row.ts';
import type { Statements } from './statement.ts';

/**
 * Takes key and payload out of these rows of the log, and out of every copy of them that the database has: dead
 * letters of the same number, and the output of a job. The connection's secure_delete makes SQLite write zeros over
 * the bytes that this frees; `emptyLog` then does away with the pages as they were.
 */
export function redactEvents(statements: Statements, offsets: readonly number[], marker: RedactionRow): void {
  for (const offset of offsets) {
    const row = statements.get('SELECT device, instance, lane, seq, type, key FROM event WHERE offset = ?').get(offset);
    if (row === undefined) continue;
    const { device, instance, lane, seq, type, key } = row;
    statements
      .get('INSERT OR IGNORE INTO redaction (offset, actor, reason, at_ms) VALUES (?,?,?,?)')
      .run(offset, marker.by, marker.reason, marker.atMs);
    statements.get(`UPDATE event SET key = '', payload = x'' WHERE offset = ?`).run(offset);
    if (type === 'flotilla.job') {
      statements.get('UPDATE job_device SET output = NULL WHERE parent = ? AND device = ?').run(key!, device!);
    }
    // What the coordinator writes itself has no number of its own in a lane.
    const place =
      Number(seq) > 0 ? 'OR (device = :device AND instance = :instance AND lane = :lane AND seq = :seq)' : '';
    const named = Number(seq) > 0 ? { device: device!, instance: instance!, lane: lane!, seq: seq! } : {};
    statements
      .get(
        `UPDATE dead_letter SET key = '', payload = x'', stderr = NULL, reason = 'redacted'
         WHERE (offset = :offset AND layer IN ('decode', 'handler')) ${place}`,
      )
      .run({ offset, ...named });
  }
}

/** True when the write-ahead log was moved into the database and cut to nothing. */
export function emptyLog(database: DatabaseSync): boolean {
  const { busy } = database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get() as { busy: number };
  return busy === 0;
}
