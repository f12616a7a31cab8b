import type { SQLInputValue, SQLOutputValue } from 'node:sqlite';
import { spanOf, spanRows } from './event-span-table.ts';
import { eventOf, selectEvents } from './event-table.ts';
import type { EventRow } from './row.ts';
import type { Statements } from './statement.ts';

export interface EventFilter {
  /** SQLite GLOB: `*`, `?`, `[…]`. */
  type?: string;
  key?: string;
  lane?: number;
  /** Only these devices; '' is the coordinator itself. */
  deviceIds?: readonly string[];
  /** By the coordinator's clock, inclusive and exclusive. */
  sinceMs?: number;
  untilMs?: number;
  /** By the writer's clock. */
  deviceSinceMs?: number;
  deviceUntilMs?: number;
}

/** A walk through the log, up or down, that gives rows in its own order. */
export interface EventScan {
  filter: EventFilter;
  direction: 'up' | 'down';
  /** The first offset to be looked at. */
  from: number;
  /** The last one. */
  to: number;
  limit: number;
}

export interface EventSlice {
  rows: EventRow[];
  /** Where the walk goes on; absent: it has come to `to`. */
  next?: number;
}

/** Rows that are looked at in one call: some 30 ms, so that nobody waits long behind a search for something rare. */
const maxScannedRows = 65_536;
/** Payloads in one slice; the row that goes over it is the last. */
const maxSliceBytes = 4 * 1024 * 1024;

export function scanEvents(statements: Statements, scan: EventScan): EventSlice {
  const { direction, to, limit } = scan;
  const up = direction === 'up';
  const first = skipSpans(statements, scan);
  if (first === undefined || (up ? first > to : first < to)) return { rows: [] };
  const end = up ? Math.min(to, first + maxScannedRows - 1) : Math.max(to, first - maxScannedRows + 1);
  const { where, values } = conditions(scan.filter);
  const sql = `${selectEvents} WHERE event.offset BETWEEN :low AND :high ${where} ORDER BY event.offset ${up ? 'ASC' : 'DESC'}`;
  const rows: EventRow[] = [];
  let bytes = 0;
  const found = statements.get(sql).iterate({ low: Math.min(first, end), high: Math.max(first, end), ...values });
  for (const row of found as Iterable<Record<string, SQLOutputValue>>) {
    const event = eventOf(row);
    rows.push(event);
    bytes += event.payload.length;
    if (rows.length >= limit || bytes >= maxSliceBytes) return after(rows, event.offset, scan);
  }
  return after(rows, end, scan);
}

function after(rows: EventRow[], offset: number, { direction, to }: EventScan): EventSlice {
  const next = offset + (direction === 'up' ? 1 : -1);
  return (direction === 'up' ? next > to : next < to) ? { rows } : { rows, next };
}

/** The first offset of a span that can hold the time that is asked for; undefined: there is none. */
function skipSpans(statements: Statements, { filter, direction, from, to }: EventScan): number | undefined {
  const { sinceMs, untilMs } = filter;
  if (sinceMs === undefined && untilMs === undefined) return from;
  const up = direction === 'up';
  const row = statements
    .get(
      `SELECT ${up ? 'min' : 'max'}(span) AS span FROM event_span
       WHERE span BETWEEN :low AND :high AND max_ms >= :since AND min_ms < :until`,
    )
    .get({
      low: spanOf(Math.min(from, to)),
      high: spanOf(Math.max(from, to)),
      since: sinceMs ?? Number.MIN_SAFE_INTEGER,
      until: untilMs ?? Number.MAX_SAFE_INTEGER,
    }) as { span: number | null };
  if (row.span === null) return undefined;
  return up ? Math.max(from, row.span * spanRows) : Math.min(from, (row.span + 1) * spanRows - 1);
}

function conditions(filter: EventFilter): { where: string; values: Record<string, SQLInputValue> } {
  const { type, key, lane, deviceIds, sinceMs, untilMs, deviceSinceMs, deviceUntilMs } = filter;
  const parts: [string, string, SQLInputValue | undefined][] = [
    ['event.type GLOB :type', 'type', type],
    ['event.key = :key', 'key', key],
    ['event.lane = :lane', 'lane', lane],
    [
      'event.device IN (SELECT value FROM json_each(:devices))',
      'devices',
      deviceIds === undefined ? undefined : JSON.stringify(deviceIds),
    ],
    ['event.received_ms >= :since', 'since', sinceMs],
    ['event.received_ms < :until', 'until', untilMs],
    ['event.timestamp_ms >= :deviceSince', 'deviceSince', deviceSinceMs],
    ['event.timestamp_ms < :deviceUntil', 'deviceUntil', deviceUntilMs],
  ];
  const given = parts.filter((part): part is [string, string, SQLInputValue] => part[2] !== undefined);
  return {
    where: given.map(([condition]) => `AND ${condition}`).join(' '),
    values: Object.fromEntries(given.map(([, name, value]) => [name, value])),
  };
}
