/**
 * An event that ends this process would end it again and again: the device sends it until it is acknowledged. So what
 * was under way when the last process ended is run alone, each attempt is written down before it begins, and after the
 * third the event is set aside without being run. An innocent one succeeds when it is alone, and is forgotten.
 */
import type { SuspectRow } from '../../store/row.ts';
import type { Meaning } from './read-event.ts';
import type { SeqRange } from './suspect-file.ts';
import type { Turn } from './turn.ts';

const maxAttempts = 3;

type Place = Omit<SuspectRow, 'attempts'>;

export const suspectKey = ({ deviceId, instanceId, lane, seq }: Place): string =>
  `${deviceId} ${instanceId} ${lane} ${seq}`;

export function isSuspect(
  { ranges, counted }: { ranges: readonly SeqRange[]; counted: ReadonlyMap<string, SuspectRow> },
  place: Place,
): boolean {
  if (counted.has(suspectKey(place))) return true;
  return ranges.some(
    ({ deviceId, instanceId, lane, from, to }) =>
      deviceId === place.deviceId &&
      instanceId === place.instanceId &&
      lane === place.lane &&
      from <= place.seq &&
      place.seq <= to,
  );
}

/** In a commit of its own, before the event is run alone. */
export function countAttempt(turn: Turn, place: Place): void {
  const attempts = turn.state.suspects.get(suspectKey(place))?.attempts ?? 0;
  if (attempts >= maxAttempts) return; // it is not going to be run
  const suspect = { ...place, attempts: attempts + 1 };
  turn.set(turn.state.suspects, suspectKey(place), suspect);
  turn.write({ kind: 'suspect', suspect });
}

/** Undefined: it may be run. `before`: attempts before this one. */
export function judgeSuspect(attempts: number): Meaning | undefined {
  if (attempts < maxAttempts) return undefined;
  const reason = `the coordinator ended ${attempts} times while it had this event alone`;
  return { kind: 'dead', class: 'reject', reason, layer: 'handler', code: 'crashed', attempts };
}

export function attemptsOf(turn: Turn, place: Place): number {
  return turn.state.suspects.get(suspectKey(place))?.attempts ?? 0;
}

/** It is stored, or set aside. */
export function clearSuspect(turn: Turn, place: Place): void {
  if (!turn.state.suspects.has(suspectKey(place))) return;
  turn.delete(turn.state.suspects, suspectKey(place));
  turn.write({ kind: 'suspect', suspect: { ...place, attempts: 0 } });
}
