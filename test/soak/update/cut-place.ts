/**
 * Where the power goes: in each state, before the first write of what it does, among them, and after the last one, when
 * the next state is not on disk yet. A state that writes nothing is one stretch.
 */
import { isTerminal } from '../../../src/agent/updater/update.ts';
import type { Dice } from '../dice.ts';
import type { Durable, RecordedUpdate } from './recorded-update.ts';

export interface Stretch {
  update: RecordedUpdate;
  state: string;
  /** `testing, before its effect` */
  name: string;
  /** Places: the power goes before one of them. */
  from: number;
  to: number;
}

/** All stretches of these recordings, by name. */
export function stretchesOf(updates: readonly RecordedUpdate[]): Map<string, Stretch[]> {
  const named = new Map<string, Stretch[]>();
  for (const update of updates) {
    for (const stretch of stretchesIn(update)) named.set(stretch.name, [...(named.get(stretch.name) ?? []), stretch]);
  }
  return named;
}

export function placeIn({ from, to }: Stretch, dice: Dice): number {
  return from + dice.below(to - from + 1);
}

/** What is certainly on disk at a place. */
export function durableAt({ durable }: RecordedUpdate, place: number): Durable {
  return durable.findLast((each) => each.place <= place)!;
}

function stretchesIn(update: RecordedUpdate): Stretch[] {
  const { durable, disk, download, restarts } = update;
  const entries = durable.filter(
    ({ update: now }, index) => now !== undefined && now.state !== durable[index - 1]?.update?.state,
  );
  const calls = [...disk.writes, ...download.writes, ...restarts.map((start) => ({ start, end: start }))];
  return entries.flatMap(({ place, update: now }, index) => {
    const state = now!.state;
    const end = entries[index + 1]?.place ?? durable.at(-1)!.place + 1;
    const effects = calls.filter(({ start }) => start >= place && start < end);
    const stretch = (name: string, from: number, to: number): Stretch[] =>
      from > to ? [] : [{ update, state, name: `${state}, ${name}`, from, to }];
    if (effects.length === 0) return stretch('all of it', place, end - 1);
    const first = Math.min(...effects.map(({ start }) => start));
    const last = Math.max(...effects.map((each) => each.end));
    const after = stretch(isTerminal(state) ? 'at rest' : 'after its effect', last + 1, end - 1);
    return [...stretch('before its effect', place, first), ...stretch('in its effect', first + 1, last), ...after];
  });
}
