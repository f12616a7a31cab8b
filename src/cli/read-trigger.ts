import type { ScheduleRequest } from '../client/contract/index.ts';
import { FlotillaError } from '../error.ts';

const local = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2})?)$/;
const absolute = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:\d{2})$/;

/** When a schedule fires, as it was typed. What a cron expression means is for the coordinator to say. */
export function readTriggerFlags({
  cron,
  at,
  zone,
}: {
  cron?: string | undefined;
  at?: string | undefined;
  zone: string;
}): ScheduleRequest['trigger'] {
  if (cron !== undefined) return { kind: 'cron', cron, zone };
  const text = at ?? '';
  const [, date, time] = local.exec(text) ?? [];
  if (date !== undefined && time !== undefined) return { kind: 'at-local', at: `${date}T${time}`, zone };
  const atMs = absolute.test(text) ? Date.parse(text.replace(' ', 'T')) : Number.NaN;
  if (!Number.isNaN(atMs)) return { kind: 'at', atMs };
  throw new FlotillaError('usage', 'schedule-time', '--at is not a time', {
    seen: JSON.stringify(text),
    expected: '2026-12-01T03:00 (in --zone), 2026-12-01T03:00Z or 2026-12-01T03:00+01:00',
  });
}
