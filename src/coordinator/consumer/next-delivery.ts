import type { ConsumerRow, TriedRow } from '../../store/row.ts';
import { entryOf } from './reduce-consumer.ts';

/** What a handler's stream does next. */
export type NextDelivery =
  /** This row, and nothing else until it is answered. */
  | { kind: 'alone'; offset: number; letter?: number }
  /** So many new rows. */
  | { kind: 'fresh'; room: number }
  /** Until something is answered, or until then. */
  | { kind: 'wait'; untilMs?: number };

export interface DeliveryState {
  /** Given on this stream and not answered. */
  inFlight: ReadonlySet<number>;
  /** The one row in flight was given alone. */
  alone: boolean;
  maxInFlight: number;
  /** After the first attempt, the second, …; the last one holds on. */
  backoffMs: readonly number[];
}

/**
 * Rows that an earlier stream left open are in doubt: each is tried alone before anything new is given, in order. What
 * a handler has answered in this stream with "again" is one of them, once everything else in flight is answered.
 */
export function nextDelivery(consumer: ConsumerRow, state: DeliveryState, nowMs: number): NextDelivery {
  if (state.alone && state.inFlight.size > 0) return { kind: 'wait' };
  const replay = consumer.tried.find(({ letter }) => letter !== undefined);
  const offset = consumer.open.find((each) => !state.inFlight.has(each));
  const place: { offset: number; letter?: number } | undefined =
    replay ?? (offset === undefined ? undefined : { offset });
  if (place === undefined) {
    const room = state.maxInFlight - state.inFlight.size;
    return room > 0 ? { kind: 'fresh', room } : { kind: 'wait' };
  }
  if (state.inFlight.size > 0) return { kind: 'wait' };
  const dueMs = dueAt(entryOf(consumer, place), state.backoffMs);
  if (dueMs > nowMs) return { kind: 'wait', untilMs: dueMs };
  const { letter } = place;
  return { kind: 'alone', offset: place.offset, ...(letter === undefined ? {} : { letter }) };
}

function dueAt(tried: TriedRow | undefined, backoffMs: readonly number[]): number {
  const attempts = (tried?.crashes ?? 0) + (tried?.failures ?? 0);
  if (tried === undefined || attempts === 0 || backoffMs.length === 0) return 0;
  return tried.lastAtMs + backoffMs[Math.min(attempts, backoffMs.length) - 1]!;
}
