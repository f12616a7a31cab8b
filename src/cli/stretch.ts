import { FlotillaError } from '../error.ts';
import { fixed, type Stretch } from '../simulation/index.ts';
import { parseDuration } from './duration.ts';

/** `5m` always, `30s..5m` anything between, `~5m` on average (exponential, at most ten times that), `forever`. */
export function parseStretch(text: string, place: string): Stretch {
  if (text === 'forever') return fixed(Infinity);
  const isAverage = text.startsWith('~');
  const [from = '', to, more] = text.slice(isAverage ? 1 : 0).split('..');
  const fromMs = parseDuration(from, place) * 1000;
  if (to === undefined) return isAverage ? { kind: 'average', fromMs, toMs: fromMs } : fixed(fromMs);
  const toMs = parseDuration(to, place) * 1000;
  if (more === undefined && !isAverage && toMs >= fromMs) return { kind: 'between', fromMs, toMs };
  throw new FlotillaError('usage', 'stretch-malformed', `${place} is not a length of time`, {
    seen: JSON.stringify(text),
    expected: '5m, 30s..5m (anything between), ~5m (on average) or forever',
  });
}
