import type { EventQuery, StoredEvent } from '../../client/contract/event.ts';
import type { PayloadReader } from '../../eventlog/schema/index.ts';
import { parseSelector, selectIds } from '../../selector/index.ts';
import type { EventPage, EventRow } from '../../store/index.ts';
import type { CoreState } from '../core/core-state.ts';
import type { ServiceContext } from './context.ts';
import { Mailbox } from './mailbox.ts';
import { knownTargets } from './target.ts';

const defaultLimit = 100;
const pageRows = 500;

/** A page of the log, in order of offset; without `from` its end. */
export async function listEvents({ core, payloads }: ServiceContext, query: EventQuery): Promise<StoredEvent[]> {
  const filter = await core.submit(({ state }) => filterOf(state, query));
  const page: EventPage = { ...filter, limit: query.limit ?? defaultLimit };
  const rows = await core.store.events(query.from === undefined ? page : { ...page, from: query.from });
  return rows.map((row) => viewEvent(row, payloads, query.asWritten));
}

/**
 * Rows from an offset on (or only new ones), for ever. Each page is read from the store, so a slow reader holds nothing
 * in memory and misses nothing. @throws FlotillaError before the first row for a bad selector
 */
export async function followEvents(
  { core, payloads }: ServiceContext,
  query: EventQuery,
  signal: AbortSignal,
): Promise<AsyncGenerator<StoredEvent>> {
  const news = new Mailbox<true>();
  const unsubscribe = core.subscribe(({ kind }) => {
    if (kind === 'event') news.put('event', true);
  });
  signal.addEventListener('abort', () => news.close(), { once: true });
  const end = (): Promise<{ filter: Partial<EventPage>; lastOffset: number }> =>
    core.submit(({ state }) => ({ filter: filterOf(state, query), lastOffset: state.counters.get('offset') ?? 0 }));

  async function* rows(first: number): AsyncGenerator<StoredEvent> {
    let from = first;
    let left = query.limit ?? Number.POSITIVE_INFINITY;
    try {
      while (left > 0 && !signal.aborted) {
        const { filter, lastOffset } = await end();
        const limit = Math.min(pageRows, left);
        const page = from > lastOffset ? [] : await core.store.events({ ...filter, from, limit });
        for (const row of page) yield viewEvent(row, payloads, query.asWritten);
        left -= page.length;
        from = Math.max(
          from,
          page.length === limit ? page.at(-1)!.offset + 1 : lastOffset + 1,
          (page.at(-1)?.offset ?? 0) + 1,
        );
        if (page.length < limit && (await news.take()) === undefined) return;
      }
    } finally {
      unsubscribe();
    }
  }
  try {
    return rows(query.from ?? (await end()).lastOffset + 1);
  } catch (error) {
    unsubscribe();
    throw error;
  }
}

function filterOf(state: CoreState, { selector, type }: EventQuery): Partial<EventPage> {
  return {
    ...(type === undefined ? {} : { type }),
    ...(selector === undefined ? {} : { deviceIds: selectIds(parseSelector(selector), knownTargets(state)) }),
  };
}

/** @param asWritten Avro payloads by the schema of their writer, not by the newest */
export function viewEvent(row: EventRow, payloads: PayloadReader, asWritten?: boolean): StoredEvent {
  const { schema, payload, ...event } = row;
  return { ...event, payload: schema === undefined ? decodeJson(payload) : payloads.read(schema, payload, asWritten) };
}

function decodeJson(payload: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch {
    return { base64: Buffer.from(payload).toString('base64') };
  }
}
