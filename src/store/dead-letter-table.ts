import type { SQLInputValue, SQLOutputValue } from 'node:sqlite';
import { readPastRequest } from './request-table.ts';
import type { DeadLetterLayer, DeadLetterRow, DeadLetterState } from './row.ts';
import type { Statements } from './statement.ts';

type Columns = Record<string, SQLOutputValue>;

export interface DeadLetterQuery {
  ids?: readonly number[];
  layer?: string;
  state?: string;
  deviceIds?: readonly string[];
  /** GLOB. */
  type?: string;
  consumer?: string;
  /** Of the last failure. */
  sinceMs?: number;
  untilMs?: number;
  /** The newest so many; all when left out. */
  limit?: number;
  /** Without it payloads are left out. */
  payload?: boolean;
}

export interface DeadLetterDepth {
  layer: DeadLetterLayer;
  type: string;
  count: number;
  oldestAtMs: number;
}

const columns = [
  'id',
  'device',
  'instance',
  'lane',
  'seq',
  'type',
  'key',
  'timestamp_ms',
  'received_ms',
  'schema',
  'payload',
  'reason',
  'layer',
  'code',
  'attempts',
  'first_ms',
  'last_ms',
  'state',
  'note',
  'offset',
  'consumer',
  'version',
  'stderr',
];
const insert = `INSERT OR REPLACE INTO dead_letter (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(',')})`;

/** The letter as it is now. What a device gave up is a request of ours: its bytes come from the ones it had committed. */
export function writeDeadLetter(statements: Statements, letter: DeadLetterRow): void {
  const request =
    letter.layer === 'device' && letter.payload.length === 0
      ? readPastRequest(statements, letter.deviceId, letter.lane, letter.seq)
      : undefined;
  const known = request?.type === letter.type && request.key === letter.key ? request : undefined;
  statements
    .get(insert)
    .run(
      letter.id,
      letter.deviceId,
      letter.instanceId,
      letter.lane,
      letter.seq,
      letter.type,
      letter.key,
      known?.createdAtMs ?? letter.timestampMs,
      letter.receivedAtMs,
      letter.schema ?? null,
      known === undefined ? letter.payload : Buffer.from(known.payload),
      letter.reason,
      letter.layer,
      letter.code,
      letter.attempts,
      letter.firstAtMs,
      letter.lastAtMs,
      letter.state,
      letter.note ?? null,
      letter.offset ?? null,
      letter.consumer ?? null,
      letter.version ?? null,
      letter.stderr ?? null,
    );
}

/** What changes when somebody decides on a letter, or when it fails again. */
export type DeadLetterChange = { id: number } & Partial<
  Pick<DeadLetterRow, 'state' | 'note' | 'offset' | 'attempts' | 'lastAtMs' | 'reason' | 'code' | 'stderr' | 'version'>
>;

const changeable: Record<string, string> = {
  state: 'state',
  note: 'note',
  offset: 'offset',
  attempts: 'attempts',
  lastAtMs: 'last_ms',
  reason: 'reason',
  code: 'code',
  stderr: 'stderr',
  version: 'version',
};

export function changeDeadLetter(statements: Statements, { id, ...change }: DeadLetterChange): void {
  const given = Object.entries(change).filter(([name, value]) => name in changeable && value !== undefined);
  if (given.length === 0) return;
  const assignments = given.map(([name]) => `${changeable[name]} = :${name}`).join(', ');
  statements
    .get(`UPDATE dead_letter SET ${assignments} WHERE id = :id`)
    .run({ id, ...Object.fromEntries(given) } as Record<string, SQLInputValue>);
}

export function removeDeadLetters(statements: Statements, ids: readonly number[]): void {
  const remove = statements.get('DELETE FROM dead_letter WHERE id = ?');
  for (const id of ids) remove.run(id);
}

export function readDeadLetters(statements: Statements, query: DeadLetterQuery): DeadLetterRow[] {
  const { ids, layer, state, deviceIds, type, consumer, sinceMs, untilMs, limit, payload } = query;
  const parts: [string, string, SQLInputValue | undefined][] = [
    ['id IN (SELECT value FROM json_each(:ids))', 'ids', ids && JSON.stringify(ids)],
    ['layer = :layer', 'layer', layer],
    ['state = :state', 'state', state],
    ['device IN (SELECT value FROM json_each(:devices))', 'devices', deviceIds && JSON.stringify(deviceIds)],
    ['type GLOB :type', 'type', type],
    ['consumer = :consumer', 'consumer', consumer],
    ['last_ms >= :since', 'since', sinceMs],
    ['last_ms < :until', 'until', untilMs],
  ];
  const given = parts.filter((part): part is [string, string, SQLInputValue] => part[2] !== undefined);
  const where = given.length === 0 ? '' : `WHERE ${given.map(([condition]) => condition).join(' AND ')}`;
  const chosen = payload === true ? columns : columns.map((name) => (name === 'payload' ? `x'' AS payload` : name));
  const rows = statements
    .get(`SELECT ${chosen.join(', ')} FROM dead_letter ${where} ORDER BY id DESC LIMIT :limit`)
    .all({ limit: limit ?? -1, ...Object.fromEntries(given.map(([, name, value]) => [name, value])) }) as Columns[];
  return rows.map(letterOf).toReversed();
}

function letterOf(row: Columns): DeadLetterRow {
  const text = (name: string, column = name): Record<string, string> =>
    row[column] === null ? {} : { [name]: String(row[column]) };
  return {
    id: Number(row['id']),
    deviceId: String(row['device']),
    instanceId: String(row['instance']),
    lane: Number(row['lane']),
    seq: Number(row['seq']),
    type: String(row['type']),
    key: String(row['key']),
    timestampMs: Number(row['timestamp_ms']),
    receivedAtMs: Number(row['received_ms']),
    ...text('schema'),
    payload: row['payload'] as Uint8Array,
    layer: String(row['layer']) as DeadLetterLayer,
    code: String(row['code']),
    reason: String(row['reason']),
    attempts: Number(row['attempts']),
    firstAtMs: Number(row['first_ms']),
    lastAtMs: Number(row['last_ms']),
    state: String(row['state']) as DeadLetterState,
    ...(row['offset'] === null ? {} : { offset: Number(row['offset']) }),
    ...text('note'),
    ...text('consumer'),
    ...text('version'),
    ...text('stderr'),
  };
}

export function readDeadLetterDepth(statements: Statements): DeadLetterDepth[] {
  const rows = statements
    .get(
      `SELECT layer, type, count(*) AS count, min(first_ms) AS oldest FROM dead_letter
       WHERE state = 'new' GROUP BY layer, type ORDER BY layer, type`,
    )
    .all() as Columns[];
  return rows.map((row) => ({
    layer: String(row['layer']) as DeadLetterLayer,
    type: String(row['type']),
    count: Number(row['count']),
    oldestAtMs: Number(row['oldest']),
  }));
}

/** Rows that one call gives at most. */
const maxSurplus = 5_000;

/** Letters that are older than `beforeMs`, or beyond the newest `keepRows`: the decided ones first, then the oldest. */
export function readSurplusLetters(statements: Statements, keepRows: number, beforeMs: number): DeadLetterRow[] {
  const { count } = statements.get('SELECT count(*) AS count FROM dead_letter WHERE last_ms >= ?').get(beforeMs) as {
    count: number;
  };
  const chosen = columns.map((name) => (name === 'payload' ? `x'' AS payload` : name)).join(', ');
  const rows = statements
    .get(
      `SELECT ${chosen} FROM (
         SELECT * FROM dead_letter WHERE last_ms < :before
         UNION ALL
         SELECT * FROM (SELECT * FROM dead_letter WHERE last_ms >= :before ORDER BY (state = 'new'), id LIMIT :surplus)
       ) WHERE id < (SELECT max(id) FROM dead_letter) LIMIT ${maxSurplus}`,
    )
    .all({ before: beforeMs, surplus: Math.max(0, count - keepRows) }) as Columns[];
  return rows.map(letterOf);
}

export function readLastDeadLetter(statements: Statements): number {
  return Number((statements.get('SELECT coalesce(max(id), 0) AS last FROM dead_letter').get() as Columns)['last']);
}
