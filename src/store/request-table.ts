import type { SQLOutputValue } from 'node:sqlite';
import type { LaneCursor, RequestPlace, RequestRow } from './row.ts';
import type { Statements } from './statement.ts';

type Columns = Record<string, SQLOutputValue>;

/**
 * A request stays in its row when it is settled, for a while: the device may still give it up, and then it can be sent
 * again. Rows lie in order of submission, so what goes to a whole fleet lies together. Those of one device are a chain:
 * `request_seq.last` is its newest settled row, and the `before` of each the one that was settled before it.
 *
 * A seq is given once, whatever is killed when: the last one given stands in `request_seq.seq`, or in a row that is not
 * settled. So it is written with the row that has it, and again when that row is settled, or loses it.
 */
export function writeRequest(statements: Statements, request: RequestRow): void {
  statements
    .get(
      `INSERT OR REPLACE INTO request (row, device, lane, seq, type, key, payload, created_ms, expires_ms)
       VALUES (?,?,?,?,?,?,?,?,?)`,
    )
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

/** How many of a device's settled requests stay at least; at most it is twice as many. */
const keptRequests = 64;

/** The device has it, or it was withdrawn. One that was never sent is of no use to anybody. */
export function removeRequest(statements: Statements, { row, deviceId, seq }: RequestPlace, given: LaneCursor): void {
  if (seq === undefined) {
    statements.get('DELETE FROM request WHERE row = ?').run(row);
    return;
  }
  const { changes } = statements
    .get(
      `UPDATE request SET settled = 1, before = (SELECT last FROM request_seq WHERE request_seq.device = request.device)
       WHERE row = ? AND settled = 0`,
    )
    .run(row);
  if (changes === 0) return; // its device was removed
  statements
    .get(
      `INSERT INTO request_seq (device, seq, last) VALUES (?,?,?)
       ON CONFLICT (device) DO UPDATE SET seq = excluded.seq, last = excluded.last`,
    )
    .run(deviceId, JSON.stringify(given), row);
  if (seq % keptRequests === turnOf(deviceId)) forgetOldest(statements, deviceId);
}

/** Which of `keptRequests` numbers in a row is the one at which a device's chain is cut: a fleet's are not cut at once. */
function turnOf(deviceId: string): number {
  let sum = 0;
  for (let at = 0; at < deviceId.length; at += 1) sum = (sum * 31 + deviceId.charCodeAt(at)) % 65_521;
  return sum % keptRequests;
}

/** The settled requests of the device `?`, the newest first. */
const settledChain = `WITH RECURSIVE settled_chain (row, before, depth) AS (
    SELECT row, before, 1 FROM request WHERE row = (SELECT last FROM request_seq WHERE device = ?)
    UNION ALL
    SELECT older.row, older.before, depth + 1 FROM settled_chain JOIN request AS older ON older.row = settled_chain.before
  )`;

function forgetOldest(statements: Statements, deviceId: string): void {
  statements
    .get(`${settledChain} DELETE FROM request WHERE row IN (SELECT row FROM settled_chain WHERE depth > ?)`)
    .run(deviceId, keptRequests);
}

/** All of a device that is not in the registry any more. */
export function removeRequests(statements: Statements, deviceId: string): void {
  statements.get(`${settledChain} DELETE FROM request WHERE row IN (SELECT row FROM settled_chain)`).run(deviceId);
  statements.get('DELETE FROM request WHERE settled = 0 AND device = ?').run(deviceId);
  statements.get('DELETE FROM request_seq WHERE device = ?').run(deviceId);
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
    .get(
      `${settledChain} SELECT request.* FROM settled_chain JOIN request USING (row) WHERE lane = ? AND seq = ?
       ORDER BY depth LIMIT 1`,
    )
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

/** Those that are not settled, in order of submission. */
export function readRequests(statements: Statements): RequestRow[] {
  return (statements.get('SELECT * FROM request WHERE settled = 0 ORDER BY row').all() as Columns[]).map((row) => ({
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

/** The highest that is taken, settled or not: no row gets the number of one that a chain leads to. */
export function readLastRequestRow(statements: Statements): number {
  const row = statements.get('SELECT max(0, coalesce(max(row), 0)) AS last FROM request').get() as Columns;
  return Number(row['last']);
}

export function writeRequestSeq(statements: Statements, deviceId: string, seq: LaneCursor): void {
  statements
    .get('INSERT INTO request_seq (device, seq) VALUES (?,?) ON CONFLICT (device) DO UPDATE SET seq = excluded.seq')
    .run(deviceId, JSON.stringify(seq));
}

/** The last seq that was given to a request, per lane. */
export function readRequestSeqs(statements: Statements): { deviceId: string; seq: LaneCursor }[] {
  const given = new Map<string, LaneCursor>();
  for (const { device, seq } of statements.get('SELECT device, seq FROM request_seq').all() as Columns[]) {
    given.set(String(device), JSON.parse(String(seq)));
  }
  const sent = `SELECT device, lane, max(seq) AS seq FROM request WHERE settled = 0 AND seq IS NOT NULL
    GROUP BY device, lane`;
  for (const { device, lane, seq } of statements.get(sent).all() as Columns[]) {
    const deviceId = String(device);
    const known = given.get(deviceId) ?? [0, 0, 0, 0];
    given.set(
      deviceId,
      known.map((last, at) => (at === lane ? Math.max(last, Number(seq)) : last)) as unknown as LaneCursor,
    );
  }
  return [...given].map(([deviceId, seq]) => ({ deviceId, seq }));
}
