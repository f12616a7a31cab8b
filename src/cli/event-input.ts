import { FlotillaError } from '../error.ts';
import type { NewEvent } from '../door/index.ts';

/** The JSON of an argument; `what` names it in the error. */
export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FlotillaError('usage', 'json-malformed', `${what} is not JSON`, {
      seen: text.length > 80 ? `${text.slice(0, 80)}…` : text,
      expected: (cause as Error).message,
      suggestion: `a text needs its quotes: '"on"'`,
      cause,
    });
  }
}

const fields: ReadonlySet<string> = new Set(['type', 'key', 'value', 'timestampMs'] satisfies (keyof NewEvent)[]);

/** One line of NDJSON: `{"type": …, "key": …, "value": …}`, `timestampMs` if it is not now. */
export function parseEventLine(text: string, line: number): NewEvent {
  const event = parseJson(text, `line ${line}`);
  const fault = eventFault(event);
  if (fault === undefined) return event as NewEvent;
  throw new FlotillaError('usage', 'event-malformed', `line ${line} is no event: ${fault}`, {
    seen: text.length > 80 ? `${text.slice(0, 80)}…` : text,
    expected: '{"type": …, "key": …, "value": …}',
  });
}

function eventFault(event: unknown): string | undefined {
  if (typeof event !== 'object' || event === null || Array.isArray(event)) return 'not an object';
  const { type, key, timestampMs } = event as Record<string, unknown>;
  if (typeof type !== 'string') return 'its type is no text';
  if (key !== undefined && typeof key !== 'string') return 'its key is no text';
  if (!('value' in event)) return 'it has no value';
  if (timestampMs !== undefined && typeof timestampMs !== 'number') return 'its timestampMs is no number';
  const unknown = Object.keys(event).find((name) => !fields.has(name));
  return unknown === undefined ? undefined : `the field ${unknown} is not known`;
}
