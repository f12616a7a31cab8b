import type { SQLOutputValue } from 'node:sqlite';
import type { LaneCursor, RequestPlace, RequestRow } from './row.ts';
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

/** How many of a device's settled requests stay to be sent again, should the device give them up later. */
const keptRequests = 64;

/** The device has it, or it was withdrawn. One that was sent stays for a while: see `readPastRequest`. */
export function removeRequest(statements: Statements, { row, deviceId, lane, seq }: RequestPlace): void {
  if (seq !== undefined) {
    statements
      .get(
        `INSERT OR REPLACE INTO request_past SELECT device, lane, seq, type, key, payload, created_ms, expires_ms
         FROM request WHERE row = ?`,
      )
      .run(row);
    if (seq > keptRequests) {
      statements
        .get('DELETE FROM request_past WHERE device = ? AND lane = ? AND seq <= ?')
        .run(deviceId, lane, seq - keptRequests);
    }
  }
  statements.get('DELETE FROM request WHERE row = ?').run(row);
}

export type PastRequest = Pick<RequestRow, 'type' | 'key' | 'payload' | 'createdAtMs' | 'expiresAtMs'>;

/** A request that the device had committed. */
export function readPastRequest(
  statements: Statements,
  deviceId: string,
  lane: number,
  seq: number,
): PastRequest | undefined {
  const row = statements
    .get('SELECT * FROM request_past WHERE device = ? AND lane = ? AND seq = ?')
    .get(deviceId, lane, seq);
  if (row === undefined) return undefined;
  return {
    type: String(row['type']),
    key: String(row['key']),
    payload: String(row['payload']),
    createdAtMs: Number(row['created_ms']),
    expiresAtMs: Number(row['expires_ms']),
  };
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
