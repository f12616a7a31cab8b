import { Flags } from '@oclif/core';
import type { EventFilter } from '../client/contract/index.ts';
import { FlotillaError } from '../error.ts';
import { defined } from './defined.ts';
import { parseTime } from './time.ts';

/** Which events: shared by all commands that read the log. */
export const eventFilterFlags = {
  type: Flags.string({ description: "only this type; a glob, such as 'flotilla.*'", helpValue: 'GLOB' }),
  selector: Flags.string({ description: 'only events of devices that match', helpValue: 'SELECTOR' }),
  key: Flags.string({ description: 'only events with this key' }),
  lane: Flags.integer({ description: 'only this lane: 0 control, 1 alarm, 2 state, 3 bulk', min: 0, max: 3 }),
};

export const eventTimeFlags = {
  since: Flags.string({ description: 'not before this time: ISO, or how long ago (2h)', helpValue: 'TIME' }),
  until: Flags.string({ description: 'before this time: ISO, or how long ago', helpValue: 'TIME' }),
  'device-time': Flags.boolean({
    description: "--since and --until mean the device's clock, not when the coordinator received it",
  }),
};

/** How Avro payloads are shown. */
export const asWrittenFlag = {
  'as-written': Flags.boolean({
    description: 'Avro payloads by the schema of their writer, not by the newest that is registered',
  }),
};

interface GivenFilter {
  type?: string | undefined;
  selector?: string | undefined;
  key?: string | undefined;
  lane?: number | undefined;
  since?: string | undefined;
  until?: string | undefined;
  'device-time'?: boolean;
}

export function readEventFilter(given: GivenFilter, nowMs: number): EventFilter {
  const { type, selector, key, lane } = given;
  const since = parseTime(given.since, '--since', nowMs);
  const until = parseTime(given.until, '--until', nowMs);
  if (since !== undefined && until !== undefined && since >= until) {
    throw new FlotillaError('usage', 'time-order', '--since is not before --until', {
      seen: `${new Date(since).toISOString()} and ${new Date(until).toISOString()}`,
    });
  }
  const time =
    given['device-time'] === true ? { deviceSinceMs: since, deviceUntilMs: until } : { sinceMs: since, untilMs: until };
  return defined({ type, selector, key, lane, ...time });
}
