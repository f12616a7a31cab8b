import type { SuspectRow } from './row.ts';
import type { Statements } from './statement.ts';

/** With 0 attempts it is no suspect any more. */
export function writeSuspect(statements: Statements, suspect: SuspectRow): void {
  const { deviceId, instanceId, lane, seq, attempts } = suspect;
  if (attempts > 0) {
    statements.get('INSERT OR REPLACE INTO suspect VALUES (?,?,?,?,?)').run(deviceId, instanceId, lane, seq, attempts);
  } else {
    statements
      .get('DELETE FROM suspect WHERE device = ? AND instance = ? AND lane = ? AND seq = ?')
      .run(deviceId, instanceId, lane, seq);
  }
}

export function readSuspects(statements: Statements): SuspectRow[] {
  return statements
    .get('SELECT * FROM suspect')
    .all()
    .map((row) => ({
      deviceId: String(row['device']),
      instanceId: String(row['instance']),
      lane: Number(row['lane']),
      seq: Number(row['seq']),
      attempts: Number(row['attempts']),
    }));
}
