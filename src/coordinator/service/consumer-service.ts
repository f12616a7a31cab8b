import type { Consumer, ConsumerFilter, SettleRequest, Settled, Settlement } from '../../client/contract/consumer.ts';
import { FlotillaError } from '../../error.ts';
import type { ConsumerRow, EventRow } from '../../store/index.ts';
import { newConsumer, type ConsumerInput } from '../consumer/reduce-consumer.ts';
import { consumerOf, putConsumer, stepConsumer, type Buried } from '../core/consumer-operation.ts';
import type { Turn } from '../core/turn.ts';
import { audit, type ServiceContext } from './context.ts';
import { parseFor } from './target.ts';

/** In order of name. */
export function listConsumers({ core, streams }: ServiceContext): Promise<Consumer[]> {
  return core.submit(({ state }) => {
    const lastOffset = state.counters.get('offset') ?? 0;
    return [...state.consumers.values()]
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map((consumer) => viewConsumer(consumer, lastOffset, streams.of(consumer.name) !== undefined));
  });
}

function viewConsumer({ given: _, ...consumer }: ConsumerRow, lastOffset: number, connected: boolean): Consumer {
  return {
    ...consumer,
    lag: Math.max(0, lastOffset - consumer.offset),
    connected,
    open: consumer.open.length,
    tried: consumer.tried.map(({ offset, letter, crashes, failures, lastAtMs, error }) => ({
      offset,
      ...(letter === undefined ? {} : { letter }),
      attempts: crashes + failures,
      lastAtMs,
      error,
    })),
  };
}

/** The consumer of this name; a new one starts behind `offset`. Another filter than the one it was made with is refused. */
export function ensureConsumer(
  context: ServiceContext,
  turn: Turn,
  { name, filter, offset }: { name: string; filter: ConsumerFilter; offset: number },
): ConsumerRow {
  if (filter.selector !== undefined) parseFor(turn.state, filter.selector);
  const known = turn.state.consumers.get(name);
  if (known === undefined) {
    const made = newConsumer(name, filter, offset, turn.nowMs);
    putConsumer(turn, made);
    audit(turn, context, 'consumer.create', name, { filter, offset });
    return made;
  }
  const asked = JSON.stringify(sorted(filter));
  if (asked === '[]' || asked === JSON.stringify(sorted(known.filter))) return known;
  throw new FlotillaError('refused', 'consumer-filter-differs', `the consumer ${name} was made for other events`, {
    seen: JSON.stringify(filter),
    expected: JSON.stringify(known.filter),
    suggestion: `leave the filter out, use another name, or flotilla event consumer remove ${name}`,
  });
}

const sorted = (filter: ConsumerFilter): [string, unknown][] =>
  Object.entries(filter).toSorted(([a], [b]) => (a < b ? -1 : 1));

/** Everything up to here is done with; durable when it is answered. Never back. */
export async function acknowledge(context: ServiceContext, name: string, offset: number): Promise<{ offset: number }> {
  const reached = await context.core.submit((turn) => {
    const lastOffset = turn.state.counters.get('offset') ?? 0;
    consumerOf(turn, name);
    if (offset > lastOffset) throw aheadOfLog(offset, lastOffset);
    stepConsumer(turn, name, { kind: 'ack', offset });
    return consumerOf(turn, name).offset;
  });
  context.streams.of(name)?.wake();
  return { offset: reached };
}

/** What came of rows that a handler was given. One that another stream has taken over may still say what is done. */
export async function settleRows(context: ServiceContext, name: string, request: SettleRequest): Promise<Settled> {
  const { core, streams } = context;
  const current = streams.of(name);
  const isCurrent = current === undefined || current.session === request.session;
  const results = request.results.filter(({ kind }) => isCurrent || kind === 'done');
  const events = new Map<number, EventRow>();
  for (const { kind, offset } of results) {
    if (kind !== 'failed' && kind !== 'crashed') continue;
    const event = await readRow(context, offset);
    if (event !== undefined) events.set(offset, event);
  }
  const settled = await core.submit((turn) => {
    consumerOf(turn, name);
    const dead: Buried[] = [];
    for (const result of results) {
      const event = events.get(result.offset);
      const isLost = (result.kind === 'failed' || result.kind === 'crashed') && event === undefined;
      dead.push(...stepConsumer(turn, name, isLost ? lostInput(result) : inputOf(result), event));
    }
    return { offset: consumerOf(turn, name).offset, dead };
  });
  const stream = streams.of(name);
  if (stream?.session === request.session) for (const { offset } of request.results) stream.answered(offset);
  else stream?.wake();
  return settled;
}

function inputOf(result: Settlement): ConsumerInput {
  const { letter, ...rest } = result;
  return { ...rest, ...(letter === undefined ? {} : { letter }) };
}

function lostInput({ offset, letter }: Settlement): ConsumerInput {
  return { kind: 'lost', offset, ...(letter === undefined ? {} : { letter }) };
}

export async function readRow({ core }: ServiceContext, offset: number): Promise<EventRow | undefined> {
  const { rows } = await core.store.scan({ filter: {}, direction: 'up', from: offset, to: offset, limit: 1 });
  return rows[0];
}

/** Its cursor is set, forward or back; what was under way is forgotten, and an open stream ends. */
export async function resetConsumer(context: ServiceContext, name: string, offset: number): Promise<Consumer> {
  const consumer = await context.core.submit((turn) => {
    const { offset: before } = consumerOf(turn, name);
    const lastOffset = turn.state.counters.get('offset') ?? 0;
    if (offset > lastOffset) throw aheadOfLog(offset, lastOffset);
    stepConsumer(turn, name, { kind: 'reset', offset });
    audit(turn, context, 'consumer.reset', name, { before, offset });
    return viewConsumer(consumerOf(turn, name), lastOffset, false);
  });
  context.streams.end(name, new FlotillaError('refused', 'consumer-reset', `the consumer ${name} was reset`));
  return consumer;
}

export async function removeConsumer(context: ServiceContext, name: string): Promise<{ removed: string }> {
  await context.core.submit((turn) => {
    const { offset } = consumerOf(turn, name);
    turn.delete(turn.state.consumers, name);
    turn.write({ kind: 'consumer-removed', name });
    audit(turn, context, 'consumer.remove', name, { offset });
  });
  context.streams.end(name, new FlotillaError('refused', 'consumer-removed', `the consumer ${name} was removed`));
  return { removed: name };
}

function aheadOfLog(offset: number, lastOffset: number): FlotillaError {
  return new FlotillaError('usage', 'consumer-ahead', 'the log has no such row yet', {
    seen: String(offset),
    expected: `at most ${lastOffset}`,
  });
}
