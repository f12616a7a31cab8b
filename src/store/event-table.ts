import type { SQLOutputValue } from 'node:sqlite';
import { ByteReader } from '../protocol/byte-reader.ts';
import { readPackedRows } from '../protocol/packed-rows.ts';
import type { EventBlockRow, EventRow } from './row.ts';
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

const insertEvent = 'INSERT INTO event VALUES (?,?,?,?,?,?,?,?,?,?,?)';

export function writeEvent(statements: Statements, event: EventRow): void {
  statements
    .get(insertEvent)
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

/** Each row of the block that is not left out, under offsets that follow. */
export function writeEventBlock(statements: Statements, block: EventBlockRow): void {
  const insert = statements.get(insertEvent);
  const { deviceId, instanceId, lane, firstSeq, skip, count, receivedAtMs, bytes } = block;
  let offset = block.firstOffset;
  let position = 0;
  for (const row of readPackedRows(new ByteReader(bytes), count)) {
    if (position >= skip) {
      const schema = row.schema === 0n ? null : row.schema.toString(16).padStart(16, '0');
      const { type, key, timestampMs, payload } = row;
      const seq = firstSeq + position;
      insert.run(offset, deviceId, instanceId, lane, seq, type, key, timestampMs, receivedAtMs, schema, payload);
      offset += 1;
    }
    position += 1;
  }
}

/** Rows in order of offset. Without `from` they are the newest of the log. */
export function readEvents(statements: Statements, { from, limit, type, deviceIds }: EventPage): EventRow[] {
  const conditions = [
    ...(from === undefined ? [] : ['event.offset >= :from']),
    ...(type === undefined ? [] : ['type GLOB :type']),
    ...(deviceIds === undefined ? [] : ['device IN (SELECT value FROM json_each(:devices))']),
  ];
  const where = conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : '';
  const order = from === undefined ? 'DESC' : 'ASC';
  const rows = statements.get(`${selectEvents} ${where} ORDER BY event.offset ${order} LIMIT :limit`).all({
    limit,
    ...(from === undefined ? {} : { from }),
    ...(type === undefined ? {} : { type }),
    ...(deviceIds === undefined ? {} : { devices: JSON.stringify(deviceIds) }),
  }) as Columns[];
  const events = rows.map(eventOf);
  return from === undefined ? events.toReversed() : events;
}

/** A row of the log with the marker of its redaction, for `eventOf`. */
export const selectEvents = `SELECT event.*, redaction.actor AS redacted_by, redaction.reason AS redacted_reason,
  redaction.at_ms AS redacted_ms FROM event LEFT JOIN redaction ON redaction.offset = event.offset`;

export function eventOf(row: Columns): EventRow {
  const event = {
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
  };
  if (row['redacted_ms'] === null) return event;
  const redacted = {
    by: String(row['redacted_by']),
    reason: String(row['redacted_reason']),
    atMs: Number(row['redacted_ms']),
  };
  // What stands in the row are blanks and zeros of the same length.
  return { ...event, key: '', payload: new Uint8Array(0), redacted };
}

export function readLastOffset(statements: Statements): number {
  const row = statements.get('SELECT coalesce(max(offset), 0) AS last FROM event').get() as Columns;
  return Number(row['last']);
}
