import {
  nameRollout,
  type RolloutCause,
  type RolloutDevice,
  type RolloutMilestone,
  type RolloutReport,
} from '../../client/contract/index.ts';
import { formatBytes, formatDuration, formatTime, plural } from '../human.ts';
import { printable } from '../printable.ts';
import { formatCounts } from './job.ts';
import { formatProof } from './rollout.ts';

/** Devices of a cause that a line names. */
const maxNamed = 20;

export const durationOrder = [
  'offered',
  'downloading',
  'verified',
  'installing',
  'rebooting',
  'testing',
  'running',
  'whole',
] as const;

/** The report as Markdown: it reads as plain text, too. What came from a device can neither mark up nor hide anything. */
export function formatReportMarkdown(report: RolloutReport): string {
  const { rollout } = report;
  return [
    `# Rollout ${text(rollout.id)}: ${text(nameRollout(rollout))}`,
    '',
    ...outcomeLines(report).map((line) => text(line)),
    '',
    ...section('Phases', table(['Phase', 'Devices', 'State', 'Began', 'Took', 'Result'], phaseRows(report))),
    ...section(
      'Failures',
      report.causes.length === 0
        ? ['None.']
        : table(['State', 'Cause', 'Devices', 'Which', 'Message'], causeRows(report.causes)),
    ),
    ...section(
      'Timeline',
      report.timeline.length === 0
        ? ['Not recorded.']
        : table(
            ['Time', 'What'],
            report.timeline.map((each) => [formatTime(each.atMs), milestoneText(each)]),
          ),
    ),
    ...section(
      'Bytes',
      bytesLines(report).map((line) => `- ${text(line)}`),
    ),
    ...section('Durations', durationTable(report)),
    ...section(
      'Devices',
      table(['Device', 'Phase', 'State', 'Since', 'Tries', 'Evidence'], report.devices.map(deviceRow)),
    ),
  ].join('\n');
}

/** What has come of it, in a few sentences. */
export function outcomeLines({
  rollout,
  targets,
  touched,
  succeeded,
  failed,
  durationMs,
  atMs,
}: RolloutReport): string[] {
  const ended =
    rollout.endedAtMs === undefined ? `as of ${formatTime(atMs)}` : `ended ${formatTime(rollout.endedAtMs)}`;
  const reason = rollout.reason === undefined ? '' : `: ${printable(rollout.reason)}`;
  return [
    `${rollout.state}${reason}`,
    `${plural(targets, 'target')} of '${printable(rollout.selector)}', ${touched} offered, ${succeeded} proven, ${failed} failed (${formatCounts(rollout.counts)})`,
    `started ${formatTime(rollout.startedAtMs)} by ${printable(rollout.startedBy)}, ${ended}, ${formatDuration(durationMs)}`,
  ];
}

export function phaseRows({ phases }: RolloutReport): string[][] {
  return phases.map(({ size, state, startedAtMs, endedAtMs, counts }, index) => [
    String(index + 1),
    String(size),
    state,
    formatTime(startedAtMs),
    startedAtMs === undefined || endedAtMs === undefined ? '-' : formatDuration(endedAtMs - startedAtMs),
    formatCounts(counts),
  ]);
}

export function causeRows(causes: readonly RolloutCause[]): string[][] {
  return causes.map(({ state, code, count, devices, message }) => [
    state,
    code,
    String(count),
    devices.length > maxNamed
      ? `${devices.slice(0, maxNamed).join(', ')} and ${devices.length - maxNamed} more`
      : devices.join(', '),
    message,
  ]);
}

export function milestoneText({ phase, state, reason }: RolloutMilestone): string {
  return `${phase === undefined ? '' : `phase ${phase + 1} `}${state}${reason === undefined ? '' : `: ${reason}`}`;
}

export function bytesLines({ bytes }: RolloutReport): string[] {
  if (bytes.bundleBytes === 0) return ['no bundle is brought'];
  const { bundleBytes, fetchedBytes, withoutDeltaBytes, wholeDevices, deltaDevices, deltaFailed } = bytes;
  const saved = withoutDeltaBytes - fetchedBytes;
  const lines = [
    `${formatBytes(fetchedBytes)} fetched: the whole bundle of ${formatBytes(bundleBytes)} by ${plural(wholeDevices, 'device')}, a delta by ${plural(deltaDevices, 'device')}`,
  ];
  if (deltaDevices > 0) {
    const share = Math.round((saved / withoutDeltaBytes) * 100);
    lines.push(`${formatBytes(withoutDeltaBytes)} without deltas: ${formatBytes(saved)} (${share} %) saved`);
  }
  if (deltaFailed > 0) lines.push(`${plural(deltaFailed, 'device')} gave a delta up and fetched the whole bundle`);
  return lines;
}

export function durationRows({ durations }: RolloutReport): string[][] {
  return durationOrder.flatMap((name) => {
    const spread = durations[name];
    if (spread === undefined) return [];
    const { count, p50Ms, p90Ms, p99Ms, maxMs } = spread;
    return [[name, String(count), ...[p50Ms, p90Ms, p99Ms, maxMs].map(formatDuration)]];
  });
}

export const durationTitles = ['Step', 'Devices', 'Half within', '90 %', '99 %', 'Longest'];

export function deviceRow(device: RolloutDevice): string[] {
  return [
    device.deviceId,
    String(device.phase + 1),
    device.state,
    formatTime(device.sinceMs),
    String(device.attempts),
    formatProof(device),
  ];
}

function durationTable(report: RolloutReport): string[] {
  const rows = durationRows(report);
  return rows.length === 0 ? ['No device has been updated.'] : table(durationTitles, rows);
}

function section(title: string, lines: readonly string[]): string[] {
  return [`## ${title}`, '', ...lines, ''];
}

function table(titles: readonly string[], rows: readonly string[][]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.map(text).join(' | ')} |`;
  return [line(titles), `|${titles.map(() => ' --- ').join('|')}|`, ...rows.map(line)];
}

/** With everything that Markdown or HTML would take for markup made harmless. */
function text(value: string): string {
  return printable(value)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll(/[\\`*_[\]|#~!]/g, (character) => `\\${character}`);
}
