import { Cron } from 'croner';
import type { ScheduleRequest, Trigger } from '../../client/contract/schedule.ts';
import { FlotillaError } from '../../error.ts';

/**
 * When a trigger is due first after this time; undefined: never again. Around a change of the clocks, a time that is
 * named without a wildcard (`30 2 * * *`) comes exactly once a day: in an hour that is skipped, at its end; in one that
 * comes twice, the first time. With a wildcard (`0 * * * *`) it comes at every hour that passes.
 */
export function nextTime(trigger: Trigger, afterMs: number): number | undefined {
  if (trigger.kind === 'at') return trigger.atMs > afterMs ? trigger.atMs : undefined;
  return cronOf(trigger.cron, trigger.zone).nextRun(new Date(afterMs))?.getTime();
}

/** What a request means; its wall-clock time becomes an instant. @throws FlotillaError for what can't be read */
export function readTrigger(trigger: ScheduleRequest['trigger'], nowMs: number): Trigger {
  if (trigger.kind !== 'cron') return readOnce(trigger, nowMs);
  requireZone(trigger.zone);
  let first: Date | null;
  try {
    first = cronOf(trigger.cron, trigger.zone).nextRun(new Date(nowMs));
  } catch (cause) {
    throw cronUnreadable(trigger.cron, cause instanceof Error ? cause.message : String(cause), cause);
  }
  if (first === null) throw cronUnreadable(trigger.cron, 'it names no time that ever comes');
  return trigger;
}

function readOnce(trigger: Exclude<ScheduleRequest['trigger'], { kind: 'cron' }>, nowMs: number): Trigger {
  let atMs = trigger.kind === 'at' ? trigger.atMs : undefined;
  if (trigger.kind === 'at-local') {
    requireZone(trigger.zone);
    try {
      // The 31st of February would be read as a day of March.
      const date = trigger.at.slice(0, 10);
      const isDate = new Date(`${date}T00:00:00Z`).toISOString().startsWith(date);
      if (isDate) atMs = new Cron(trigger.at, { timezone: trigger.zone, paused: true }).nextRun(new Date(0))?.getTime();
    } catch {
      atMs = undefined;
    }
  }
  if (atMs !== undefined && atMs > nowMs) return { kind: 'at', atMs };
  throw new FlotillaError('usage', 'schedule-time', 'this is no time to come', {
    seen: trigger.kind === 'at-local' ? `${trigger.at} in ${trigger.zone}` : isoOf(trigger.atMs),
    expected: `a time after ${isoOf(nowMs)}`,
  });
}

function isoOf(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString();
}

function cronOf(cron: string, zone: string): Cron {
  // The pattern alone: nothing is started, so there is no timer.
  return new Cron(cron, { timezone: zone, paused: true, mode: '5-part', fixedTimeRule: 'no-wildcard' });
}

function requireZone(zone: string): void {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone }).format(0);
  } catch (cause) {
    throw new FlotillaError('usage', 'schedule-zone', 'there is no such time zone', {
      seen: zone,
      expected: 'a name of the IANA list: Europe/Berlin, America/New_York, UTC',
      cause,
    });
  }
}

function cronUnreadable(cron: string, why: string, cause?: unknown): FlotillaError {
  return new FlotillaError('usage', 'schedule-cron', 'the cron expression can not be used', {
    seen: `${cron}: ${why}`,
    expected: 'minute, hour, day of the month, month, day of the week: 30 3 * * MON-FRI',
    ...(cause === undefined ? {} : { cause }),
  });
}
