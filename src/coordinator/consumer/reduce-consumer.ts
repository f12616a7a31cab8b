/**
 * How far a consumer has come, and what it could not manage. Pure: `(consumer, input, now) → (consumer, effects)`; the
 * same object back means that nothing changed. Whatever is given to a handler is written down here first (`give`,
 * `begin`), so that after the end of any process what may have been under way is known.
 */
import type { ConsumerFilter, ConsumerRow, TriedRow } from '../../store/row.ts';

/** A handler that ended that often while it had an event alone does not get it again. */
export const maxCrashes = 3;
/** Nor one that was refused that often. */
export const maxFailures = 5;

const maxErrorLength = 2_000;

export type ConsumerInput =
  /** These rows, the last of them `upTo`, are going to be given; none of them was before. */
  | { kind: 'give'; offsets: readonly number[]; upTo: number; version?: string }
  /** This row is going to be given alone. */
  | { kind: 'begin'; offset: number; letter?: number }
  | { kind: 'done'; offset: number; letter?: number }
  | { kind: 'failed'; offset: number; letter?: number; error: string; retry: boolean }
  /** The handler ended while it had the row; an attempt alone was counted when it began. */
  | { kind: 'crashed'; offset: number; letter?: number; error: string; stderr?: string }
  /** It was taken back in good order before it was tried to the end. */
  | { kind: 'released'; offset: number; letter?: number }
  /** The row is not in the log any more. */
  | { kind: 'lost'; offset: number; letter?: number }
  /** Everything up to here is done with. */
  | { kind: 'ack'; offset: number }
  /** Nothing up to here is wanted, and nothing is under way. */
  | { kind: 'skip'; upTo: number }
  | { kind: 'reset'; offset: number }
  | { kind: 'replay'; offset: number; letter: number };

export type ConsumerEffect =
  /** Not to be tried again. `letter`: it was a replay of that one. */
  | { kind: 'dead'; offset: number; letter?: number; code: 'crashed' | 'failed'; tried: TriedRow; stderr?: string }
  | { kind: 'replayed'; letter: number };

export interface ConsumerResult {
  consumer: ConsumerRow;
  effects: ConsumerEffect[];
}

export function newConsumer(name: string, filter: ConsumerFilter, offset: number, nowMs: number): ConsumerRow {
  return { name, filter, offset, given: offset, open: [], tried: [], createdAtMs: nowMs, updatedAtMs: nowMs };
}

export function reduceConsumer(before: ConsumerRow, input: ConsumerInput, nowMs: number): ConsumerResult {
  const { consumer, effects } = apply(before, input, nowMs);
  if (consumer === before) return { consumer, effects };
  const { given, open } = consumer;
  // Derived: everything below the first open row is done with. Never back, but by a reset.
  const floor = open.length > 0 ? open[0]! - 1 : given;
  const offset = input.kind === 'reset' ? input.offset : Math.max(before.offset, Math.min(floor, given));
  return { consumer: { ...consumer, offset, updatedAtMs: nowMs }, effects };
}

function apply(before: ConsumerRow, input: ConsumerInput, nowMs: number): ConsumerResult {
  const same: ConsumerResult = { consumer: before, effects: [] };
  switch (input.kind) {
    case 'give': {
      const fresh = input.offsets.filter((offset) => offset > before.given);
      if (input.upTo <= before.given) return same;
      const version = input.version === undefined ? {} : { version: input.version };
      return kept({ ...before, ...version, given: input.upTo, open: [...before.open, ...fresh] });
    }
    case 'begin': {
      const tried = entryOf(before, input) ?? firstTry(input, nowMs);
      if (!isOpen(before, input)) return same;
      if (isDead(tried)) return bury(before, tried, 'crashed');
      return kept(withTried(before, { ...tried, begun: true, crashes: tried.crashes + 1, lastAtMs: nowMs }));
    }
    case 'done':
    case 'lost': {
      if (!isOpen(before, input)) return same;
      const effects: ConsumerEffect[] =
        input.letter === undefined || input.kind === 'lost' ? [] : [{ kind: 'replayed', letter: input.letter }];
      return { consumer: without(before, input), effects };
    }
    case 'failed': {
      if (!isOpen(before, input)) return same;
      const known = entryOf(before, input);
      // An attempt that was counted as a crash in advance turns out to be an answer.
      const tried: TriedRow = {
        ...ended(known ?? firstTry(input, nowMs)),
        crashes: (known?.crashes ?? 0) - (known?.begun === true ? 1 : 0),
        failures: (known?.failures ?? 0) + 1,
        lastAtMs: nowMs,
        error: clip(input.error),
      };
      if (!input.retry || tried.failures >= maxFailures) return bury(before, tried, 'failed');
      return kept(withTried(before, tried));
    }
    case 'crashed': {
      if (!isOpen(before, input)) return same;
      const known = entryOf(before, input) ?? firstTry(input, nowMs);
      const crashes = known.crashes + (known.begun === true ? 0 : 1);
      const tried = { ...ended(known), crashes, lastAtMs: nowMs, error: clip(input.error) };
      if (isDead(tried)) return bury(before, tried, 'crashed', input.stderr);
      return kept(withTried(before, tried));
    }
    case 'released': {
      const known = entryOf(before, input);
      if (known?.begun !== true) return same;
      const tried = { ...ended(known), crashes: known.crashes - 1 };
      if (tried.letter === undefined && tried.crashes + tried.failures === 0) {
        return kept({ ...before, tried: before.tried.filter((each) => each !== known) });
      }
      return kept(withTried(before, tried));
    }
    case 'ack': {
      if (input.offset <= before.offset) return same;
      const open = before.open.filter((offset) => offset > input.offset);
      const tried = before.tried.filter(({ offset, letter }) => letter !== undefined || offset > input.offset);
      return kept({ ...before, open, tried, given: Math.max(before.given, input.offset) });
    }
    case 'skip':
      if (before.open.length > 0 || input.upTo <= before.given) return same;
      return kept({ ...before, given: input.upTo });
    case 'reset': {
      const tried = before.tried.filter(({ letter }) => letter !== undefined);
      return kept({ ...before, open: [], tried, given: input.offset });
    }
    case 'replay': {
      if (before.tried.some(({ letter }) => letter === input.letter)) return same;
      return kept({ ...before, tried: [...before.tried, firstTry(input, nowMs)] });
    }
  }
}

const isDead = ({ crashes }: TriedRow): boolean => crashes >= maxCrashes;

interface Place {
  offset: number;
  letter?: number;
}

const isAt = (place: Place, { offset, letter }: Place): boolean => place.offset === offset && place.letter === letter;

export function entryOf(consumer: ConsumerRow, place: Place): TriedRow | undefined {
  return consumer.tried.find((tried) => isAt(tried, place));
}

function isOpen(consumer: ConsumerRow, place: Place): boolean {
  if (place.letter === undefined) return consumer.open.includes(place.offset);
  return entryOf(consumer, place) !== undefined;
}

function firstTry({ offset, letter }: Place, nowMs: number): TriedRow {
  const place = letter === undefined ? { offset } : { offset, letter };
  return { ...place, crashes: 0, failures: 0, firstAtMs: nowMs, lastAtMs: nowMs, error: '' };
}

function ended({ begun: _, ...tried }: TriedRow): TriedRow {
  return tried;
}

function kept(consumer: ConsumerRow): ConsumerResult {
  return { consumer, effects: [] };
}

function withTried(consumer: ConsumerRow, tried: TriedRow): ConsumerRow {
  return { ...consumer, tried: [...consumer.tried.filter((each) => !isAt(each, tried)), tried] };
}

function without(consumer: ConsumerRow, place: Place): ConsumerRow {
  const tried = consumer.tried.filter((each) => !isAt(each, place));
  const open = place.letter === undefined ? consumer.open.filter((offset) => offset !== place.offset) : consumer.open;
  return { ...consumer, tried, open };
}

function bury(consumer: ConsumerRow, tried: TriedRow, code: 'crashed' | 'failed', stderr?: string): ConsumerResult {
  const { offset, letter } = tried;
  const dead: ConsumerEffect = {
    kind: 'dead',
    offset,
    ...(letter === undefined ? {} : { letter }),
    code,
    tried,
    ...(stderr === undefined ? {} : { stderr }),
  };
  return { consumer: without(consumer, tried), effects: [dead] };
}

function clip(text: string): string {
  return text.slice(0, maxErrorLength);
}
