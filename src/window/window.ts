import { Type, type Static } from 'typebox';
import { cronOf, isZone } from './opening.ts';

/** The zone of a window that is read on each device's own clock. */
export const deviceZone = 'device';

/** At least a minute: an opening is a minute of a clock. At most a week: a longer one is always open by a weekly cron. */
export const minDurationSeconds = 60;
export const maxDurationSeconds = 604_800;

/** A time in which something may be done, again and again: it opens by cron and stays open for so long. */
export const WindowSchema = Type.Object(
  {
    /** minute hour day-of-month month day-of-week. */
    cron: Type.String({ minLength: 1, maxLength: 256 }),
    /** Of time that passes, not of the clock on the wall: an hour that the clocks skip or repeat does not change it. */
    durationSeconds: Type.Integer({ minimum: minDurationSeconds, maximum: maxDurationSeconds }),
    /** IANA, or `device`. */
    zone: Type.String({ minLength: 1, maxLength: 64 }),
  },
  { additionalProperties: false },
);
export type Window = Static<typeof WindowSchema>;

export interface WindowProblem {
  field: keyof Window;
  seen: string;
  expected: string;
}

/** What makes it useless: an unknown zone, a cron that can't be read or never comes. */
export function windowProblem({ cron, zone }: Window, nowMs: number): WindowProblem | undefined {
  if (zone !== deviceZone && !isZone(zone)) {
    const expected = 'a name of the IANA list (Europe/Berlin, America/New_York, UTC), or device';
    return { field: 'zone', seen: zone, expected };
  }
  const expected = 'minute, hour, day of the month, month, day of the week: 30 3 * * MON-FRI';
  try {
    const first = cronOf(cron, zone === deviceZone ? 'UTC' : zone).nextRun(new Date(nowMs));
    return first === null ? { field: 'cron', seen: `${cron}: it names no time that ever comes`, expected } : undefined;
  } catch (cause) {
    return { field: 'cron', seen: `${cron}: ${cause instanceof Error ? cause.message : String(cause)}`, expected };
  }
}
