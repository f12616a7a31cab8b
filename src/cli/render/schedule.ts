import {
  formatAction,
  type Firing,
  type Schedule,
  type ScheduleTimes,
  type Trigger,
} from '../../client/contract/index.ts';
import { formatAge, formatDuration, formatTime, plural } from '../human.ts';
import { formatHold } from './job.ts';
import { formatFields, formatTable, type TableOption } from '../table.ts';

/** Of `schedule show`: the last ones; --json has all that are kept. */
const shownFirings = 10;

const overlapWords = {
  skip: 'skipped while the job before is at work',
  queue: 'waits for the job before',
  allow: 'beside the job before',
} as const;

export function formatSchedules(schedules: readonly Schedule[], nowMs: number, option: TableOption = {}): string {
  if (schedules.length === 0) return 'no schedules\n';
  return formatTable(
    schedules,
    [
      { title: 'NAME', value: ({ name }) => name },
      { title: 'STATE', value: ({ state }) => state },
      { title: 'WHEN', value: ({ trigger }) => formatTrigger(trigger) },
      { title: 'NEXT', value: ({ nextAtMs }) => (nextAtMs === undefined ? '-' : formatAge(nextAtMs, nowMs)) },
      { title: 'LAST', value: ({ firings }) => firings.at(-1)?.outcome ?? '-' },
      { title: 'SELECTOR', value: ({ job }) => job.selector, shrink: true },
      { title: 'COMMAND', value: ({ job }) => formatAction(job.action), shrink: true },
    ],
    option,
  );
}

export function formatSchedule(schedule: Schedule, nowMs: number): string {
  const { name, state, trigger, missed, overlap, waiting, job, expected, createdBy, createdAtMs, nextAtMs, firings } =
    schedule;
  const fields = formatFields({
    schedule: name,
    state,
    when: formatTrigger(trigger),
    next: nextAtMs === undefined ? undefined : `${formatTime(nextAtMs)} (${formatAge(nextAtMs, nowMs)})`,
    splay: job.rampSeconds === undefined ? undefined : formatDuration(job.rampSeconds * 1000),
    missed: missed === 'skip' ? 'skipped' : 'one for all of them',
    overlap: overlapWords[overlap ?? 'allow'],
    waiting: waiting === undefined ? undefined : `the job of ${formatTime(waiting.dueAtMs)}, for the one before`,
    selector: job.selector,
    command: formatAction(job.action),
    held: job.hold === undefined ? undefined : formatHold(job.hold),
    devices: `${expected.matched} of ${expected.fleet} when it was made`,
    max: job.max,
    'made by': createdBy,
    made: formatTime(createdAtMs),
  });
  const last = firings.slice(-shownFirings).toReversed();
  return last.length === 0 ? fields : `${fields}\n${last.map(formatFiring).join('')}`;
}

function formatFiring({ dueAtMs, firedAtMs, outcome, jobId, times, error }: Firing): string {
  const late = firedAtMs - dueAtMs > 60_000 ? `, ${formatDuration(firedAtMs - dueAtMs)} late` : '';
  const what =
    outcome === 'started'
      ? `job ${jobId}${late}`
      : outcome === 'missed'
        ? `missed ${plural(times ?? 1, 'time')}`
        : outcome === 'skipped'
          ? `skipped: devices were still at work on job ${jobId}`
          : `refused: ${error?.message ?? error?.code ?? ''}${error?.seen === undefined ? '' : ` (${error.seen})`}`;
  return `${formatTime(dueAtMs)}  ${what}\n`;
}

export function formatTimes({ timesMs, zone }: ScheduleTimes, nowMs: number): string {
  if (timesMs.length === 0) return 'never again\n';
  return timesMs.map((ms) => `${formatTime(ms)}  ${zoneTime(ms, zone)}  ${formatAge(ms, nowMs)}\n`).join('');
}

export function formatTrigger(trigger: Trigger): string {
  return trigger.kind === 'at' ? `once, at ${formatTime(trigger.atMs)}` : `${trigger.cron} (${trigger.zone})`;
}

/** "2026-11-27 03:30 GMT+1", as a clock on the wall there shows it. */
function zoneTime(ms: number, zone: string): string {
  const format = new Intl.DateTimeFormat('sv', {
    timeZone: zone,
    dateStyle: 'short',
    timeStyle: 'short',
  });
  const offset = new Intl.DateTimeFormat('en', { timeZone: zone, timeZoneName: 'shortOffset' })
    .formatToParts(ms)
    .find(({ type }) => type === 'timeZoneName')?.value;
  return `${format.format(ms)} ${offset ?? ''}`.trimEnd();
}
