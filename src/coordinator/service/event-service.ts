import type { EventFilter, EventQuery, ExportRow, StoredEvent } from '../../client/contract/event.ts';
import type { PayloadReader } from '../../eventlog/schema/index.ts';
import type { EventFilter as StoreFilter, EventRow } from '../../store/index.ts';
import type { ServiceContext } from './context.ts';
import { Mailbox } from './mailbox.ts';
import { matchKnown, type FleetView } from './target.ts';

const defaultLimit = 100;
const pageRows = 500;

/** A page of the log, in order of offset; without `from` its end. */
export async function listEvents(context: ServiceContext, query: EventQuery): Promise<StoredEvent[]> {
  const { core } = context;
  const { lastOffset, filter } = await view(context, query);
  const limit = query.limit ?? defaultLimit;
  const direction = query.from === undefined ? 'down' : 'up';
  const to = direction === 'up' ? lastOffset : 1;
  const rows: EventRow[] = [];
  for (
    let from: number | undefined = Math.max(1, query.from ?? lastOffset);
    from !== undefined && rows.length < limit;
  ) {
    const slice = await core.store.scan({ filter, direction, from, to, limit: limit - rows.length });
    rows.push(...slice.rows);
    from = slice.next;
  }
  return (direction === 'up' ? rows : rows.toReversed()).map((row) =>
    viewEvent(row, context.payloads, query.asWritten),
  );
}

/**
 * Rows from an offset on (or only new ones), for ever. Each page is read from the store, so a slow reader holds nothing
 * in memory and misses nothing. @throws FlotillaError before the first row for a bad selector
 */
export async function followEvents(
  context: ServiceContext,
  query: EventQuery,
  signal: AbortSignal,
): Promise<AsyncGenerator<StoredEvent>> {
  const { core } = context;
  const news = new Mailbox<true>();
  const unsubscribe = core.subscribe(({ kind }) => {
    if (kind === 'event') news.put('event', true);
  });
  signal.addEventListener('abort', () => news.close(), { once: true });

  async function* rows(first: number): AsyncGenerator<StoredEvent> {
    let from = first;
    let left = query.limit ?? Number.POSITIVE_INFINITY;
    try {
      while (left > 0 && !signal.aborted) {
        const { lastOffset: to, filter } = await view(context, query);
        if (from > to) {
          if ((await news.take()) === undefined) return;
          continue;
        }
        const limit = Math.min(pageRows, left);
        const slice = await core.store.scan({ filter, direction: 'up', from, to, limit });
        for (const row of slice.rows) yield viewEvent(row, context.payloads, query.asWritten);
        left -= slice.rows.length;
        from = slice.next ?? to + 1;
      }
    } finally {
      unsubscribe();
    }
  }
  try {
    return rows(query.from ?? (await view(context, query)).lastOffset + 1);
  } catch (error) {
    unsubscribe();
    throw error;
  }
}

/** All that match of what is in the log now, without a limit, and where to go on from. */
export async function exportEvents(
  context: ServiceContext,
  query: EventQuery,
  signal: AbortSignal,
): Promise<AsyncGenerator<ExportRow>> {
  const { lastOffset: to } = await view(context, query);
  async function* rows(): AsyncGenerator<ExportRow> {
    for (let from = Math.max(1, query.from ?? 1); from <= to && !signal.aborted;) {
      const { filter } = await view(context, query);
      const slice = await context.core.store.scan({ filter, direction: 'up', from, to, limit: pageRows });
      for (const row of slice.rows) yield { kind: 'event', event: viewEvent(row, context.payloads, query.asWritten) };
      from = slice.next ?? to + 1;
      if (from <= to) yield { kind: 'at', nextOffset: from };
    }
    if (!signal.aborted) yield { kind: 'end', nextOffset: Math.max(to + 1, query.from ?? 1) };
  }
  return rows();
}

/** The log's end, and the filter with its selector resolved: for devices that are known now. */
function view({ core }: ServiceContext, query: EventFilter): Promise<{ lastOffset: number; filter: StoreFilter }> {
  return core.submit((turn) => ({
    lastOffset: turn.state.counters.get('offset') ?? 0,
    filter: filterOf(turn, query),
  }));
}

export function filterOf(fleet: FleetView, { selector, ...query }: EventFilter): StoreFilter {
  const { type, key, lane, sinceMs, untilMs, deviceSinceMs, deviceUntilMs } = query;
  return {
    ...(type === undefined ? {} : { type }),
    ...(key === undefined ? {} : { key }),
    ...(lane === undefined ? {} : { lane }),
    ...(sinceMs === undefined ? {} : { sinceMs }),
    ...(untilMs === undefined ? {} : { untilMs }),
    ...(deviceSinceMs === undefined ? {} : { deviceSinceMs }),
    ...(deviceUntilMs === undefined ? {} : { deviceUntilMs }),
    ...(selector === undefined ? {} : { deviceIds: matchKnown(fleet, selector) }),
  };
}

/** @param asWritten Avro payloads by the schema of their writer, not by the newest */
export function viewEvent(row: EventRow, payloads: PayloadReader, asWritten?: boolean): StoredEvent {
  const { schema, payload, ...event } = row;
  return { ...event, payload: row.redacted === undefined ? decode(payloads, schema, payload, asWritten) : null };
}

export function decode(
  payloads: PayloadReader,
  schema: string | undefined,
  payload: Uint8Array,
  asWritten?: boolean,
): unknown {
  if (schema !== undefined) return payloads.read(schema, payload, asWritten);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch {
    return { base64: Buffer.from(payload).toString('base64') };
  }
}
