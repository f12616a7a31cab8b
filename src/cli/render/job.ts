import { formatAction, type DeviceJob, type DeviceResult, type Job } from '../../client/contract/index.ts';
import { formatAge, formatDuration, formatTime, plural } from '../human.ts';
import type { JobProgress } from '../follow-job.ts';
import { paint, styleOfState } from '../paint.ts';
import { printable } from '../printable.ts';
import { formatFields, formatTable, type TableOption } from '../table.ts';

/** One device's end: a line with the outcome, its output indented below. */
export function formatResult(result: DeviceResult, option: TableOption = {}): string {
  const outcome = result.outcome ?? result.state;
  const held = result.state === 'holding' ? ', held' : '';
  const lines = [
    `${result.deviceId}: ${paint(styleOfState(outcome), outcome, option.color ?? false)}${held}${formatResultDetail(result)}`,
    ...indented(result.stdout, '  '),
    ...indented(result.stderr, '  ! '),
  ];
  if (result.truncatedBytes) lines.push(`  (${result.truncatedBytes} more bytes were not kept)`);
  lines.push(...restoreLines(result));
  return `${lines.join('\n')}\n`;
}

function formatResultDetail(result: DeviceResult): string {
  const parts = [];
  if (result.exitCode !== undefined && result.outcome !== 'succeeded') parts.push(`exit ${result.exitCode}`);
  if (result.signal !== undefined) parts.push(result.signal);
  if (result.reason !== undefined) parts.push(printable(result.reason));
  if (result.startedAtMs !== undefined && result.finishedAtMs !== undefined) {
    parts.push(formatDuration(result.finishedAtMs - result.startedAtMs));
  }
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`;
}

/** What took it back. */
function restoreLines({ restore }: DeviceResult): string[] {
  if (restore === undefined) return [];
  const { outcome = 'unknown', exitCode, reason } = restore;
  const detail = [exitCode === undefined || exitCode === 0 ? '' : `exit ${exitCode}`, printable(reason ?? '')];
  const told = detail.filter((text) => text !== '').join(', ');
  return [
    `  then: ${outcome}${told === '' ? '' : ` (${told})`}`,
    ...indented(restore.stdout, '    '),
    ...indented(restore.stderr, '    ! '),
  ];
}

function indented(text: string | undefined, prefix: string): string[] {
  if (text === undefined || text === '') return [];
  return printable(text.replaceAll('\r\n', '\n'), { keepNewlines: true })
    .replace(/\n+$/, '')
    .split('\n')
    .map((line) => prefix + line);
}

/** "2 succeeded, 1 failed", in the order in which they matter. */
export function formatCounts(counts: Record<string, number>, option: TableOption = {}): string {
  const order = Object.keys(counts).filter((name) => (counts[name] as number) > 0);
  return order.map((name) => paint(styleOfState(name), `${counts[name]} ${name}`, option.color ?? false)).join(', ');
}

/** The last line of `run` and `job wait`. */
export function formatJobSummary(job: Job, option: TableOption = {}): string {
  const took = job.finishedAtMs === undefined ? '' : ` in ${formatDuration(job.finishedAtMs - job.submittedAtMs)}`;
  return `job ${job.id}: ${plural(job.matched, 'device')}, ${formatCounts(job.counts, option)}${took}\n`;
}

/** The block that is painted while a job runs: counts, and who is still out. */
export function formatJobProgress(job: Job, progress: JobProgress, nowMs: number): string[] {
  const age = formatDuration(nowMs - job.submittedAtMs);
  const head = `job ${job.id}: ${progress.finished()} of ${job.matched} done after ${age} (${formatCounts(progress.counts())})`;
  const open = [...progress.results.values()].filter(({ state }) => state !== 'finished' && state !== 'waiting');
  const shown = open.slice(0, 8).map(({ deviceId, state, startedAtMs, lostAtMs }) => {
    const since = startedAtMs === undefined ? '' : ` for ${formatDuration(nowMs - startedAtMs)}`;
    return `  ${deviceId}  ${state === 'started' ? 'running' : state}${since}${lostAtMs === undefined ? '' : `, link lost for ${formatDuration(nowMs - lostAtMs)}`}`;
  });
  if (open.length > shown.length) shown.push(`  … and ${open.length - shown.length} more`);
  return [head, ...shown, 'Ctrl-C leaves the job running'];
}

export function formatJobs(jobs: readonly Job[], nowMs: number, option: TableOption = {}): string {
  if (jobs.length === 0) return 'no jobs\n';
  return formatTable(
    jobs,
    [
      { title: 'JOB', value: (job) => job.id },
      { title: 'STATE', value: (job) => job.state, style: (job) => (job.state === 'running' ? 'cyan' : undefined) },
      { title: 'DEVICES', value: (job) => job.matched, align: 'right' },
      { title: 'RESULT', value: (job) => formatCounts(job.counts) },
      { title: 'SUBMITTED', value: (job) => formatAge(job.submittedAtMs, nowMs) },
      { title: 'SELECTOR', value: (job) => job.selector, shrink: true },
      { title: 'COMMAND', value: (job) => formatAction(job.action), shrink: true },
    ],
    option,
  );
}

/** `job history`. */
export function formatDeviceJobs(jobs: readonly DeviceJob[], nowMs: number, option: TableOption = {}): string {
  if (jobs.length === 0) return 'no jobs\n';
  const resultOf = ({ result: { state, outcome, exitCode } }: DeviceJob): string =>
    outcome === 'succeeded' || exitCode === undefined ? (outcome ?? state) : `${outcome ?? state} (exit ${exitCode})`;
  return formatTable(
    jobs,
    [
      { title: 'JOB', value: ({ job }) => job.id },
      { title: 'RESULT', value: resultOf, style: ({ result }) => styleOfState(result.outcome ?? result.state) },
      { title: 'SUBMITTED', value: ({ job }) => formatAge(job.submittedAtMs, nowMs) },
      { title: 'BY', value: ({ job }) => job.submittedBy },
      { title: 'COMMAND', value: ({ job }) => formatAction(job.action), shrink: true },
    ],
    option,
  );
}

export function formatJob(job: Job, nowMs: number, option: TableOption = {}): string {
  const fields = formatFields({
    job: job.id,
    state: job.state,
    selector: job.selector,
    command: formatAction(job.action),
    'retry of': job.retryOf,
    schedule: job.schedule,
    'submitted by': job.submittedBy,
    submitted: `${formatTime(job.submittedAtMs)} (${formatAge(job.submittedAtMs, nowMs)})`,
    finished: job.finishedAtMs === undefined ? undefined : formatTime(job.finishedAtMs),
    expires: job.state === 'running' ? formatAge(job.expiresAtMs, nowMs) : undefined,
    timeout: formatDuration(job.timeoutSeconds * 1000),
    ramp: job.rampSeconds === undefined ? undefined : formatDuration(job.rampSeconds * 1000),
    held: job.hold === undefined ? undefined : formatHold(job.hold),
    stopped: job.stopped,
    devices: `${job.matched}: ${formatCounts(job.counts)}`,
  });
  const results = (job.results ?? []).map((result) => formatResult(result, option)).join('');
  return results === '' ? fields : `${fields}\n${results}`;
}

export function formatHold({ forSeconds, restore, once }: NonNullable<Job['hold']>): string {
  return `for ${formatDuration(forSeconds * 1000)}, then ${formatAction(restore)}${once === true ? ' (never twice)' : ''}`;
}

/** What `run --dry-run` would do, and to whom. */
export function formatDryJob(job: Job): string {
  const ids = (job.results ?? []).map(({ deviceId }) => `${deviceId}\n`).join('');
  return `would run ${formatAction(job.action)} on ${plural(job.matched, 'device')}\n${ids}`;
}
