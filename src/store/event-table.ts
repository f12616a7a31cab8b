import type { SQLOutputValue } from 'node:sqlite';
import type { DeadLetterRow, EventRow } from './row.ts';
import type { Statements } from './statement.ts';

type Columns = Record<string, SQLOutputValue>;

/** A page of the log. */
export interface EventPage {
  /** The first offset wanted; absent = the last `limit` rows. */
  from?: number;
  limit: number;
  /** SQLite GLOB: `*`, `?`, `[…]`. */
  type?: string;
  /** Only these devices; '' is the coordinator itself. */
  deviceIds?: string[];
}

export function writeEvent(statements: Statements, event: EventRow): void {
  statements
    .get('INSERT INTO event VALUES (?,?,?,?,?,?,?,?,?,?,?)')
    .run(
      event.offset,
      event.deviceId,
      event.instanceId,
      event.lane,
      event.seq,
      event.type,
      event.key,
      event.timestampMs,
      event.receivedAtMs,
      event.schema ?? null,
      event.payload,
    );
}

/** Rows in order of offset. Without `from` they are the newest of the log. */
export function readEvents(statements: Statements, { from, limit, type, deviceIds }: EventPage): EventRow[] {
  const conditions = [
    ...(from === undefined ? [] : ['offset >= :from']),
    ...(type === undefined ? [] : ['type GLOB :type']),
    ...(deviceIds === undefined ? [] : ['device IN (SELECT value FROM json_each(:devices))']),
  ];
  const where = conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : '';
  const order = from === undefined ? 'DESC' : 'ASC';
  const rows = statements.get(`SELECT * FROM event ${where} ORDER BY offset ${order} LIMIT :limit`).all({
    limit,
    ...(from === undefined ? {} : { from }),
    ...(type === undefined ? {} : { type }),
    ...(deviceIds === undefined ? {} : { devices: JSON.stringify(deviceIds) }),
  }) as Columns[];
  const events = rows.map((row) => ({
    offset: Number(row['offset']),
    deviceId: String(row['device']),
    instanceId: String(row['instance']),
    lane: Number(row['lane']),
    seq: Number(row['seq']),
    type: String(row['type']),
    key: String(row['key']),
    timestampMs: Number(row['timestamp_ms']),
    receivedAtMs: Number(row['received_ms']),
    ...(row['schema'] === null ? {} : { schema: String(row['schema']) }),
    payload: row['payload'] as Uint8Array,
  }));
  return from === undefined ? events.toReversed() : events;
}

export function readLastOffset(statements: Statements): number {
  const row = statements.get('SELECT coalesce(max(offset), 0) AS last FROM event').get() as Columns;
  return Number(row['last']);
}

export function writeDeadLetter(statements: Statements, letter: DeadLetterRow): void {
  statements
    .get('INSERT INTO dead_letter VALUES (NULL,?,?,?,?,?,?,?,?,?,?,?)')
    .run(
      letter.deviceId,
      letter.instanceId,
      letter.lane,
      letter.seq,
      letter.type,
      letter.key,
      letter.timestampMs,
      letter.receivedAtMs,
      letter.schema ?? null,
      letter.payload,
      letter.reason,
    );
}

export function countDeadLetters(statements: Statements): number {
  return Number((statements.get('SELECT count(*) AS count FROM dead_letter').get() as Columns)['count']);
}
