/** The report as a person reads it. */
import { formatBytes, formatDuration } from '../cli/human.ts';
import { paint } from '../cli/paint.ts';
import { formatTable, type TableOption } from '../cli/table.ts';
import type { DemoReport, DeviceReport, Moment } from './demo-report.ts';

export function renderDemo(report: DemoReport, option: TableOption): string {
  const { devices, checks, bytes, next, durationMs, ok } = report;
  const failed = checks.filter((check) => !check.ok);
  const parts = [
    heading('Evidence', option),
    formatTable(devices, evidenceColumns(report), option),
    heading('Time line', option),
    renderTimeline(report, option),
    heading('Bytes over the link', option),
    `${formatBytes(bytes.sentByCoordinator)} to the devices, ${formatBytes(bytes.receivedByCoordinator)} from them, TLS included; one bundle is ${formatBytes(report.releases[1]?.sizeBytes ?? 0)}\n`,
    heading('Expectations', option),
    ...checks
      .filter((check) => !check.ok || !/^(proven|rolled-back)-/.test(check.id))
      .map((check) => `${mark(check.ok, option)} ${check.text}: ${check.detail}\n`),
    `\n${checks.length - failed.length} of ${checks.length} expectations were observed in ${formatDuration(durationMs)}.`,
    ok ? '\n' : ` Missing: ${failed.map(({ id }) => id).join(', ')}\n`,
    heading('Where to look next', option),
    ...next.map((line) => `  ${line}\n`),
  ];
  return parts.join('');
}

const heading = (text: string, { color = false }: TableOption): string => `\n${paint('bold', text, color)}\n`;
const mark = (ok: boolean, { color = false }: TableOption): string =>
  ok ? paint('green', 'seen   ', color) : paint('red', 'MISSING', color);
const short = (text: string | undefined): string | undefined => text?.slice(0, 8);

function evidenceColumns({ releases }: DemoReport) {
  const version = (uuid: string | undefined) => releases.find(({ bundleUuid }) => bundleUuid === uuid)?.version;
  return [
    { title: 'DEVICE', value: ({ id }: DeviceReport) => id },
    { title: 'SITE', value: ({ site }: DeviceReport) => site },
    { title: 'RING', value: ({ ring }: DeviceReport) => ring },
    { title: 'BOOTS', value: ({ boots }: DeviceReport) => boots.length, align: 'right' as const },
    { title: 'BOOT BEFORE', value: ({ second }: DeviceReport) => short(second?.evidence?.before.bootId) },
    { title: 'AFTER', value: ({ second }: DeviceReport) => short(second?.evidence?.after?.bootId) },
    { title: '2.0.0', value: ({ second }: DeviceReport) => second?.state },
    { title: 'HEALTH', value: ({ second }: DeviceReport) => healthText(second) },
    { title: 'DOWNLOADED', value: ({ second }: DeviceReport) => bytesText(second), align: 'right' as const },
    { title: '3.0.0', value: ({ third }: DeviceReport) => third?.state },
    { title: 'SLOT', value: ({ atEnd }: DeviceReport) => atEnd?.activeSlot },
    { title: 'RUNS', value: ({ atEnd }: DeviceReport) => version(running(atEnd)) },
    { title: 'UUID', value: ({ atEnd }: DeviceReport) => short(running(atEnd)) },
    { title: 'POWER CUT', value: ({ cut }: DeviceReport) => (cut === undefined ? undefined : `mid-${cut}`) },
  ];
}

const running = (disk: DeviceReport['atEnd']) => disk?.uuids[disk.activeSlot];

function healthText(device: DeviceReport['second']): string | undefined {
  const health = device?.evidence?.health;
  return health && `${health.filter(({ ok }) => ok).length}/${health.length}`;
}

function bytesText(device: DeviceReport['second']): string | undefined {
  const bytes = device?.evidence?.downloadedBytes;
  return bytes === undefined ? undefined : formatBytes(bytes);
}

/** The whole of it is in the report; here, what was typed and the devices that the story is about. */
function renderTimeline({ timeline, devices, startedAtMs, dir }: DemoReport, { color = false }: TableOption): string {
  const subjects = new Set(
    devices.filter(({ cut, ring }) => cut !== undefined || ring === 'canary').map(({ id }) => id),
  );
  const told = timeline.filter(({ deviceId, text }) =>
    deviceId === undefined ? isTold(text) : subjects.has(deviceId),
  );
  return told
    .map(({ atMs, deviceId, text }: Moment) => {
      const time = `${((atMs - startedAtMs) / 1000).toFixed(1)}s`.padStart(7);
      return `${time}  ${paint(deviceId === undefined ? 'cyan' : undefined, `${(deviceId ?? '').padEnd(6)}${brief(text, dir)}`, color)}\n`;
    })
    .join('');
}

/** Commands that change something once; those repeated for each device, and the asking, are left out. */
const isTold = (text: string): boolean =>
  /^\$ flotilla (init|coordinator start|firmware build|release publish|run|rollout start|device tag) /.test(text);

/** Paths of the demo's own folder by their end, and what a build is told by its start: the report has all of it. */
const brief = (text: string, dir: string): string =>
  text
    .replaceAll(`${dir}/`, '')
    .replace(/ --define .*$/, ' …')
    .replace(/-f \S*\/firmware\//, '-f firmware/');
