import type { ConsumerQuery, HandlerRow } from '../../client/contract/consumer.ts';
import type { StoredEvent } from '../../client/contract/event.ts';
import { FlotillaError } from '../../error.ts';
import type { ConsumerRow, EventFilter } from '../../store/index.ts';
import { nextDelivery } from '../consumer/next-delivery.ts';
import { entryOf } from '../consumer/reduce-consumer.ts';
import { consumerOf, stepConsumer } from '../core/consumer-operation.ts';
import { ensureConsumer, readRow } from './consumer-service.ts';
import type { ConsumerStream } from './consumer-streams.ts';
import type { ServiceContext } from './context.ts';
import { filterOf, viewEvent } from './event-service.ts';

const defaultInFlight = 100;
const maxBackoffMs = 86_400_000;
/** A cursor over rows that nobody wants is moved this far at a time: it costs a commit. */
const skipRows = 4_096;
const defaultBackoffMs = [1_000, 5_000, 30_000];

interface Opened {
  stream: ConsumerStream;
  view(): Promise<{ consumer: ConsumerRow; filter: EventFilter; lastOffset: number; nowMs: number }>;
  wait(delayMs?: number): Promise<void>;
  maxInFlight: number;
  once: boolean;
  /** The log's end when the stream began. */
  endOffset: number;
  close(): void;
}

/** Rows behind the cursor, at most so many that are not acknowledged. */
export async function streamConsumer(
  context: ServiceContext,
  name: string,
  query: ConsumerQuery,
  signal: AbortSignal,
): Promise<AsyncGenerator<StoredEvent>> {
  const opened = await open(context, name, query, signal);
  return plainRows(context, name, opened, signal);
}

async function* plainRows(
  context: ServiceContext,
  name: string,
  { stream, view, wait, maxInFlight, once, endOffset, close }: Opened,
  signal: AbortSignal,
): AsyncGenerator<StoredEvent> {
  const { core } = context;
  let from: number | undefined;
  try {
    for (;;) {
      stream.check();
      if (signal.aborted) return;
      const { consumer, filter, lastOffset } = await view();
      from = Math.max(from ?? 0, consumer.offset + 1);
      for (const offset of stream.inFlight) if (offset <= consumer.offset) stream.inFlight.delete(offset);
      const to = once ? endOffset : lastOffset;
      const room = maxInFlight - stream.inFlight.size;
      if (from > to || room <= 0) {
        if (once && from > to) {
          if (stream.inFlight.size === 0) await skipTo(context, name, to);
          return;
        }
        await wait();
        continue;
      }
      const slice = await core.store.scan({ filter, direction: 'up', from, to, limit: room });
      for (const row of slice.rows) {
        stream.inFlight.add(row.offset);
        yield viewEvent(row, context.payloads);
      }
      from = slice.next ?? to + 1;
      if (stream.inFlight.size === 0 && from - 1 - consumer.offset >= skipRows) await skipTo(context, name, from - 1);
    }
  } finally {
    close();
  }
}

/**
 * Rows for a handler. What an earlier stream has left open is tried first, one at a time, each attempt written down
 * before it begins; then new ones in batches, each batch written down before it is given.
 */
export async function streamHandler(
  context: ServiceContext,
  name: string,
  query: ConsumerQuery,
  signal: AbortSignal,
): Promise<AsyncGenerator<HandlerRow>> {
  const backoffMs = parseBackoff(query.backoff);
  const opened = await open(context, name, query, signal);
  return handlerRows(context, name, { ...opened, backoffMs, version: query.version }, signal);
}

async function* handlerRows(
  context: ServiceContext,
  name: string,
  option: Opened & { backoffMs: readonly number[]; version: string | undefined },
  signal: AbortSignal,
): AsyncGenerator<HandlerRow> {
  const { core } = context;
  const { stream, view, wait, maxInFlight, once, endOffset, backoffMs, version, close } = option;
  /** Looked at up to here, wanted or not. */
  let seen = 0;
  try {
    for (;;) {
      stream.check();
      if (signal.aborted) return;
      const { consumer, filter, lastOffset, nowMs } = await view();
      const { inFlight, alone } = stream;
      const next = nextDelivery(consumer, { inFlight, alone, maxInFlight, backoffMs }, nowMs);
      if (next.kind === 'wait') {
        await wait(next.untilMs === undefined ? undefined : Math.max(1, next.untilMs - nowMs));
        continue;
      }
      if (next.kind === 'alone') {
        yield* tryAlone(context, name, stream, next);
        continue;
      }
      const from = Math.max(seen, consumer.given) + 1;
      const to = once ? endOffset : lastOffset;
      if (from > to) {
        if (once && inFlight.size === 0) {
          await skipTo(context, name, to);
          yield { kind: 'caught-up', offset: to };
          return;
        }
        await wait();
        continue;
      }
      const slice = await core.store.scan({ filter, direction: 'up', from, to, limit: next.room });
      seen = (slice.next ?? to + 1) - 1;
      const offsets = slice.rows.map(({ offset }) => offset);
      if (offsets.length > 0) {
        const give = { kind: 'give', offsets, upTo: seen, ...(version === undefined ? {} : { version }) } as const;
        await core.submit((turn) => stepConsumer(turn, name, give));
        for (const offset of offsets) inFlight.add(offset);
        for (const row of slice.rows) yield { kind: 'event', event: viewEvent(row, context.payloads), attempt: 1 };
      } else if (inFlight.size === 0 && seen - consumer.offset >= skipRows) await skipTo(context, name, seen);
    }
  } finally {
    close();
  }
}

async function* tryAlone(
  context: ServiceContext,
  name: string,
  stream: ConsumerStream,
  { offset, letter }: { offset: number; letter?: number },
): AsyncGenerator<HandlerRow> {
  const place = letter === undefined ? { offset } : { offset, letter };
  const event = await readRow(context, offset);
  const { dead, attempt } = await context.core.submit((turn) => {
    const buried = stepConsumer(turn, name, { kind: event === undefined ? 'lost' : 'begin', ...place }, event);
    const tried = entryOf(consumerOf(turn, name), place);
    return { dead: buried, attempt: (tried?.crashes ?? 0) + (tried?.failures ?? 0) };
  });
  for (const buried of dead) yield { kind: 'dead-letter', ...buried };
  if (event === undefined || dead.length > 0) return;
  stream.inFlight.add(offset);
  stream.alone = true;
  yield {
    kind: 'event',
    event: viewEvent(event, context.payloads),
    attempt,
    ...(letter === undefined ? {} : { letter }),
  };
}

async function open(context: ServiceContext, name: string, query: ConsumerQuery, signal: AbortSignal): Promise<Opened> {
  const { core, clock, streams } = context;
  const { selector, type, key, lane, from = 1, inFlight = defaultInFlight, once = false } = query;
  const given = Object.entries({ selector, type, key, lane }).filter(([, value]) => value !== undefined);
  const endOffset = await core.submit((turn) => {
    ensureConsumer(context, turn, { name, filter: Object.fromEntries(given), offset: from - 1 });
    return turn.state.counters.get('offset') ?? 0;
  });
  const stream = streams.open(name, query.session);
  const unsubscribe = core.subscribe(({ kind }) => {
    if (kind === 'event') stream.wake();
  });
  const onAbort = (): void => stream.wake();
  signal.addEventListener('abort', onAbort, { once: true });
  return {
    stream,
    view: () =>
      core.submit((turn) => {
        const consumer = consumerOf(turn, name);
        const filter = filterOf(turn, consumer.filter);
        return { consumer, filter, lastOffset: turn.state.counters.get('offset') ?? 0, nowMs: turn.nowMs };
      }),
    wait: (delayMs) => stream.wait((ms, act) => clock.schedule(ms, act), delayMs),
    maxInFlight: inFlight,
    once,
    endOffset,
    close() {
      unsubscribe();
      signal.removeEventListener('abort', onAbort);
      streams.close(name, stream);
    },
  };
}

async function skipTo({ core }: ServiceContext, name: string, upTo: number): Promise<void> {
  await core.submit((turn) => stepConsumer(turn, name, { kind: 'skip', upTo }));
}

function parseBackoff(text: string | undefined): readonly number[] {
  if (text === undefined) return defaultBackoffMs;
  const waits = text.split(',').map(Number);
  if (waits.every((ms) => Number.isInteger(ms) && ms >= 0 && ms <= maxBackoffMs)) return waits;
  throw new FlotillaError('usage', 'consumer-backoff', 'backoff is not a list of milliseconds', { seen: text });
}
