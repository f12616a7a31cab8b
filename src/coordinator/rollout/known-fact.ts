/**
 * What the journal of a rollout has told of the registry and the presence so far. An answer that is as one expects is
 * never told: of a hundred thousand devices nearly all are in the registry, and neither held nor reverted.
 */
import type { RolloutFact } from '../../client/contract/rollout-recording.ts';

/** By `factKey`. */
export type KnownFacts = ReadonlyMap<string, unknown>;

/** Of the time since when a device is there or away it is told only what lies after `atLeastMs`: that is no question of its own. */
export function factKey([name, args]: Readonly<RolloutFact>): string {
  return `${name} ${args.length === 1 || name === 'sinceMs' ? String(args[0]) : JSON.stringify(args)}`;
}

/** What a replay answers that knows this much. */
export function recallFact(known: KnownFacts, rolloutId: string, name: string, args: readonly unknown[]): unknown {
  const key = factKey([name, args]);
  if (name === 'sinceMs') return Math.max(Number(known.get(key) ?? 0), Number(args[1]));
  return known.has(key) ? known.get(key) : expected(name, rolloutId);
}

function expected(name: string, rolloutId: string): unknown {
  switch (name) {
    case 'state':
      return 'accepted';
    case 'takes':
    case 'takesConduct':
      return true;
    case 'connected':
    case 'hasReverted':
    case 'hasAgent':
      return false;
    case 'holder':
      return rolloutId;
    default:
      return undefined;
  }
}
