import { FlotillaError } from '../error.ts';
import type { Chance } from './chance.ts';

/**
 * How long something takes, as a product's file says it: `5m` always, `30s..5m` anything between, `~5m` on average
 * (exponential, cut at ten times that), `forever`.
 */
export interface Stretch {
  kind: 'fixed' | 'between' | 'average';
  fromMs: number;
  toMs: number;
}

export type ReadDuration = (text: string, place: string) => number;

/** @param seconds reads "90", "90s", "1h30m" */
export function parseStretch(text: string, place: string, seconds: ReadDuration): Stretch {
  if (text === 'forever') return { kind: 'fixed', fromMs: Infinity, toMs: Infinity };
  const [from = '', to, more] = text.replace(/^~/, '').split('..');
  const fromMs = seconds(from, place) * 1000;
  if (to === undefined) {
    return text.startsWith('~') ? { kind: 'average', fromMs, toMs: fromMs } : { kind: 'fixed', fromMs, toMs: fromMs };
  }
  const toMs = seconds(to, place) * 1000;
  if (more === undefined && !text.startsWith('~') && toMs >= fromMs) return { kind: 'between', fromMs, toMs };
  throw new FlotillaError('usage', 'stretch-malformed', `${place} is not a length of time`, {
    seen: JSON.stringify(text),
    expected: '5m, 30s..5m (anything between), ~5m (on average) or forever',
  });
}

/** Milliseconds, whole. */
export function drawStretch({ kind, fromMs, toMs }: Stretch, chance: Chance): number {
  if (kind === 'fixed') return Math.round(fromMs);
  if (kind === 'between') return Math.round(fromMs + chance.share() * (toMs - fromMs));
  return Math.round(Math.min(10 * fromMs, -Math.log(1 - chance.share()) * fromMs));
}
