import type { Chance } from './chance.ts';

/** How long something takes: always the same, anything between two times, or so long on average. */
export interface Stretch {
  kind: 'fixed' | 'between' | 'average';
  fromMs: number;
  /** Of `between`; as `fromMs` for the others. */
  toMs: number;
}

/** An average that is far off is cut here: one device in twenty thousand. */
const longestAverage = 10;

export function fixed(ms: number): Stretch {
  return { kind: 'fixed', fromMs: ms, toMs: ms };
}

/** Milliseconds, whole; Infinity for what never ends. `average` is exponential. */
export function drawStretch({ kind, fromMs, toMs }: Stretch, chance: Chance): number {
  if (kind === 'fixed') return Math.round(fromMs);
  if (kind === 'between') return Math.round(fromMs + chance.share() * (toMs - fromMs));
  return Math.round(fromMs * Math.min(longestAverage, -Math.log(1 - chance.share())));
}
