import { FlotillaError } from '../error.ts';

const secondsByUnit: Record<string, number> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
const pattern = /^(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+$/;

/** Seconds of "90", "90s", "5m", "1h30m", "2d"; `flag` names it in the error. Undefined stays undefined. */
export function parseDuration(text: string, flag: string): number;
export function parseDuration(text: string | undefined, flag: string): number | undefined;
export function parseDuration(text: string | undefined, flag: string): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d+(?:\.\d+)?$/.test(text)) return Number(text);
  if (!pattern.test(text)) {
    throw new FlotillaError('usage', 'duration-malformed', `${flag} is not a duration`, {
      seen: JSON.stringify(text),
      expected: 'a number of seconds, or numbers with a unit: 500ms, 90s, 5m, 1h30m, 2d, 1w',
    });
  }
  let seconds = 0;
  for (const [, count, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdw])/g)) {
    seconds += Number(count) * (secondsByUnit[unit as string] as number);
  }
  return seconds;
}
