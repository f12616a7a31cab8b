import type { SQLOutputValue } from 'node:sqlite';
import type { LaneCursor, RequestRow } from './row.ts';
import type { Statements } from './statement.ts';

type Columns = Record<string, SQLOutputValue>;

export function writeRequest(statements: Statements, request: RequestRow): void {
  statements
    .get('INSERT OR REPLACE INTO request VALUES (?,?,?,?,?,?,?,?,?)')
    .run(
      request.row,
      request.deviceId,
      request.lane,
      request.seq ?? null,
      request.type,
      request.key,
      request.payload,
      request.createdAtMs,
      request.expiresAtMs,
    );
}

export function removeRequest(statements: Statements, row: number): void {
  statements.get('DELETE FROM request WHERE row = ?').run(row);
}

/** In order of submission. */
export function readRequests(statements: Statements): RequestRow[] {
  return (statements.get('SELECT * FROM request ORDER BY row').all() as Columns[]).map((row) => ({
    row: Number(row['row']),
    deviceId: String(row['device']),
    lane: Number(row['lane']),
    ...(row['seq'] === null ? {} : { seq: Number(row['seq']) }),
    type: String(row['type']),
    key: String(row['key']),
    payload: String(row['payload']),
    createdAtMs: Number(row['created_ms']),
    expiresAtMs: Number(row['expires_ms']),
  }));
}

export function writeRequestSeq(statements: Statements, deviceId: string, seq: LaneCursor): void {
  statements.get('INSERT OR REPLACE INTO request_seq VALUES (?,?)').run(deviceId, JSON.stringify(seq));
}

export function readRequestSeqs(statements: Statements): { deviceId: string; seq: LaneCursor }[] {
  return (statements.get('SELECT * FROM request_seq').all() as Columns[]).map((row) => ({
    deviceId: String(row['device']),
    seq: JSON.parse(String(row['seq'])),
  }));
}
