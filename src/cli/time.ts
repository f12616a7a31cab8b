import { FlotillaError } from '../error.ts';
import { parseDuration } from './duration.ts';

/** Milliseconds since 1970 of "2026-11-22T21:30:00Z", "2026-11-22", or of "2h" before now. Undefined stays undefined. */
export function parseTime(text: string, flag: string, nowMs: number): number;
export function parseTime(text: string | undefined, flag: string, nowMs: number): number | undefined;
export function parseTime(text: string | undefined, flag: string, nowMs: number): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})?)?$/.test(text)) {
    const ms = Date.parse(text.replace(' ', 'T'));
    if (!Number.isNaN(ms) && ms >= 0) return ms;
  } else if (/^\d/.test(text) && !text.includes('-')) {
    return Math.max(0, Math.floor(nowMs - parseDuration(text, flag) * 1000));
  }
  throw new FlotillaError('usage', 'time-malformed', `${flag} is not a time`, {
    seen: JSON.stringify(text),
    expected: 'an ISO time such as 2026-11-22T21:30:00Z, or how long ago: 90s, 2h, 7d',
  });
}
