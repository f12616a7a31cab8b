import { Cron } from 'croner';

/**
 * The times of a cron expression on the clocks of a zone. Around a change of the clocks, a time that is named without
 * a wildcard (`30 2 * * *`) comes exactly once a day: in an hour that is skipped, at its end; in one that comes twice,
 * the first time. With a wildcard (`0 * * * *`) it comes at every hour that passes.
 */
export function cronOf(cron: string, zone: string): Cron {
  // The pattern alone: nothing is started, so there is no timer.
  return new Cron(cron, { timezone: zone, paused: true, mode: '5-part', fixedTimeRule: 'no-wildcard' });
}

export function isZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).format(0) !== '';
  } catch {
    return false;
  }
}
