import type { BundleAllowed, Changed, Device, DeviceWatchRow, Replacement } from '../../client/contract/index.ts';
import { formatConfigState } from './config.ts';
import { formatAge, formatBytes, formatDuration, formatTime, plural } from '../human.ts';
import { paint, styleOfState } from '../paint.ts';
import { printable } from '../printable.ts';
import { formatFields, formatTable, type TableOption } from '../table.ts';

const linkState = (device: Device) => (device.connected ? 'connected' : 'offline');
const formatTags = (tags: Device['tags']) =>
  Object.entries(tags)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ');

/** "now", "2h5m ago, 120 behind": how old what is known of it is. */
function formatDataAge({ freshness }: Device, nowMs: number): string | undefined {
  if (freshness === undefined) return undefined;
  const lag = freshness.lanes.reduce((sum, { lagEvents }) => sum + lagEvents, 0);
  return `${formatAge(freshness.asOfMs, nowMs)}${lag > 0 ? `, ${lag} behind` : ''}`;
}

const laneNames = ['control', 'alarm', 'state', 'bulk'];

function formatLag({ freshness, log }: Device, nowMs: number): string | undefined {
  const behind = freshness?.lanes.filter(({ lagEvents }) => lagEvents > 0) ?? [];
  if (freshness === undefined) return undefined;
  if (behind.length === 0) return 'nothing waits on the device';
  const lanes = behind.map(({ lane, lagEvents, lagBytes, asOfMs }) => {
    const bytes = lagBytes === undefined ? '' : `, ${formatBytes(lagBytes)}`;
    return `${laneNames[lane]} ${plural(lagEvents, 'event')}${bytes}, as of ${formatAge(asOfMs, nowMs)}`;
  });
  const reported = log?.reportedAtMs === undefined ? '' : ` (bytes as reported ${formatAge(log.reportedAtMs, nowMs)})`;
  return `${lanes.join('; ')}${reported}`;
}

function formatGaps({ log }: Device, nowMs: number): string | undefined {
  if (log === undefined || (log.missingRows === 0 && log.explainedRows === 0)) return undefined;
  const explained = log.explainedRows > 0 ? `, ${log.explainedRows} of them given up there (${log.gapReason})` : '';
  return `${plural(log.missingRows, 'row')} never came${explained}, last ${formatAge(log.lastGapAtMs, nowMs)}`;
}

/** "1200 events since the agent's start, 310 bytes written for each": flash wear. */
function formatWear({ log }: Device): string | undefined {
  const { eventsSinceStart: events, writtenBytesSinceStart: bytes } = log ?? {};
  if (events === undefined) return undefined;
  const each = bytes === undefined || events === 0 ? '' : `, ${Math.round(bytes / events)} bytes written for each`;
  return `${plural(events, 'event')} since the agent's start${each}`;
}

export function formatDevices(devices: readonly Device[], nowMs: number, option: TableOption = {}): string {
  if (devices.length === 0) return 'no devices\n';
  const table = formatTable(
    devices,
    [
      { title: 'DEVICE', value: (device) => device.id },
      { title: 'STATE', value: (device) => device.state, style: (device) => styleOfState(device.state) },
      { title: 'LINK', value: linkState, style: (device) => styleOfState(linkState(device)) },
      { title: 'SINCE', value: (device) => formatAge(device.sinceMs, nowMs) },
      { title: 'DATA', value: (device) => formatDataAge(device, nowMs) },
      { title: 'VERSION', value: (device) => device.running?.version },
      { title: 'SLOT', value: (device) => device.running?.slot },
      { title: 'ADDRESS', value: (device) => device.address, shrink: true },
      { title: 'TAGS', value: (device) => formatTags(device.tags), shrink: true },
    ],
    option,
  );
  const connected = devices.filter((device) => device.connected).length;
  return `${table}${plural(devices.length, 'device')}, ${connected} connected\n`;
}

export function formatDevice(device: Device, nowMs: number): string {
  const fields = formatFields({
    device: device.id,
    state: device.state,
    ...formatHold(device, nowMs),
    pinned: device.pinnedInstance === undefined ? undefined : `instance ${device.pinnedInstance} alone is let in`,
    refused:
      device.refused === undefined
        ? undefined
        : `${device.refused.rule}: ${device.refused.reason}, ${formatAge(device.refused.atMs, nowMs)}`,
    replaces: device.lineage?.slice(1).join(', before it '),
    'replaced by': device.replacedBy,
    clock: formatClock(device, nowMs),
    link: `${linkState(device)}${device.sinceMs === undefined ? '' : ` since ${formatTime(device.sinceMs)} (${formatAge(device.sinceMs, nowMs)})`}`,
    'data as of':
      device.freshness === undefined
        ? undefined
        : `${formatTime(device.freshness.asOfMs)} (${formatAge(device.freshness.asOfMs, nowMs)})`,
    lag: formatLag(device, nowMs),
    gaps: formatGaps(device, nowMs),
    log: formatWear(device),
    address: device.address,
    agent: device.agentVersion,
    'agent update': formatAgentUpdate(device.agentUpdate, nowMs),
    version: device.running?.version,
    slot: device.running?.slot,
    bundle: device.running?.bundleUuid,
    'boot id': device.running?.bootId,
    certificate:
      device.certificate === undefined
        ? undefined
        : `${device.certificate.serial}, ends ${formatAge(device.certificate.notAfterMs, nowMs)}${
            device.certificate.replacedBy === undefined ? '' : `, replaced by ${device.certificate.replacedBy}`
          }`,
    renewal:
      device.renewal === undefined
        ? undefined
        : `${device.renewal.state} (${device.renewal.cause}) since ${formatAge(device.renewal.sinceMs, nowMs)}${
            device.renewal.reason === undefined ? '' : `: ${printable(device.renewal.reason)}`
          }`,
    traffic: `${formatBytes(device.traffic.receivedBytes)} received, ${formatBytes(device.traffic.sentBytes)} sent`,
    'reverted bundles': device.quarantinedBundles.length > 0 ? device.quarantinedBundles.join(', ') : undefined,
    tags: formatTags(device.tags) || undefined,
    ...listed('settings', device.configs ?? [], formatConfigState),
    ...listed('waits', device.held ?? [], ({ type, key, reason }) => `${type} ${key}: ${reason}`),
  });
  const grains = flattenGrains(device.grains);
  if (grains.length === 0) return `${fields}\nno grains yet\n`;
  return `${fields}\ngrains:\n${grains.map(([key, value]) => `  ${printable(key)}: ${printable(value)}\n`).join('')}`;
}

function formatAgentUpdate(update: Device['agentUpdate'], nowMs: number): string | undefined {
  if (update === undefined) return undefined;
  const { updateId, release, state, atMs, reason } = update;
  const why = reason === undefined ? '' : `: ${printable(reason.message)} (${reason.code})`;
  return `${printable(release)} ${state} (${formatAge(atMs, nowMs)}, update ${updateId})${why}`;
}

/** Why it is quarantined, what it may do meanwhile, and the way out. */
function formatHold({ id, state, hold }: Device, nowMs: number): Record<string, string> {
  if (state !== 'quarantined') return {};
  const because = hold === undefined ? 'not recorded' : `${hold.reason} (${hold.by}, ${formatAge(hold.atMs, nowMs)})`;
  const [first] = hold?.instances ?? [];
  const copies = hold?.instances?.map((instance, n) => `${instance} from ${hold.addresses?.[n] ?? '?'}`) ?? [];
  const sameHistory = copies.length > 0 && hold?.instances?.every((instance) => instance === first) === true;
  const wayOut =
    copies.length === 0
      ? `flotilla device accept ${id}`
      : sameHistory
        ? `a full copy, the two can't be told apart: flotilla cert revoke ${id}, then enroll the real one again`
        : `flotilla device accept ${id} --instance HEX for the real one, or flotilla cert revoke ${id}`;
  return {
    because,
    ...listed('copy', copies, (copy) => copy),
    'may do': 'the control lane alone: it tells and can be looked at; no jobs, updates, settings or requests',
    'way out': wayOut,
  };
}

const clockSources = {
  rtc: 'its own',
  signed: 'corrected by signed time',
  floor: 'no time but the last that it knew',
} as const;

function formatClock({ clock }: Device, nowMs: number): string | undefined {
  if (clock === undefined) return undefined;
  const { skewMs, source, refused, atMs } = clock;
  const size = Math.abs(skewMs);
  const skew = size < 1_000 ? 'right' : `${formatDuration(size)} ${skewMs < 0 ? 'behind' : 'ahead'}`;
  const refusal = refused === undefined ? '' : `; ${refused}`;
  return `${skew}, ${clockSources[source]} (${formatAge(atMs, nowMs)})${refusal}`;
}

/** One line for each: `waits`, `waits 2`, … */
function listed<T>(title: string, rows: readonly T[], format: (row: T) => string): Record<string, string> {
  return Object.fromEntries(rows.map((row, n) => [n === 0 ? title : `${title} ${n + 1}`, format(row)]));
}

/** Leaves of nested grains, with the keys as a selector writes them: `net:eth0:mac`. */
export function flattenGrains(grains: Record<string, unknown>, prefix = ''): [string, string][] {
  return Object.entries(grains)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([key, value]): [string, string][] => {
      const path = prefix + key;
      if (Array.isArray(value)) return [[path, value.map(leaf).join(', ')]];
      if (typeof value === 'object' && value !== null) {
        return flattenGrains(value as Record<string, unknown>, `${path}:`);
      }
      return [[path, leaf(value)]];
    });
}

const leaf = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));

/** One line of `device watch`. */
export function formatWatchRow(row: DeviceWatchRow, nowMs: number, option: TableOption = {}): string {
  const color = option.color ?? false;
  if (row.kind === 'synced') return `${paint('dim', '-- this is the fleet now; changes follow --', color)}\n`;
  if (row.kind === 'removed') return `${formatTime(nowMs)}  ${row.id}  ${paint('red', 'removed', color)}\n`;
  const { device } = row;
  const link = linkState(device);
  const parts = [
    formatTime(nowMs),
    device.id,
    paint(styleOfState(device.state), device.state, color),
    paint(styleOfState(link), link, color),
    printable(device.running?.version ?? ''),
    printable(formatTags(device.tags)),
  ];
  return `${parts.filter((part) => part !== '').join('  ')}\n`;
}

/** What goes over, what ends. */
export function formatReplacement(replacement: Replacement & { dryRun: boolean }): string {
  const { old, new: next, tags, configs, conflicts, accepts, revokes, ends, dryRun } = replacement;
  const fields = formatFields({
    tags: formatTags(tags) || undefined,
    settings: configs.join(', ') || undefined,
    overrides: conflicts.join(', ') || undefined,
    accepted: accepts ? next : undefined,
    revoked: `${plural(revokes.length, 'certificate')} of ${old}`,
    ends: ends.join(', ') || undefined,
  });
  const verb = dryRun ? 'would take' : 'has taken';
  return `${next} ${verb} the place of ${old}\n${fields}${dryRun ? 'nothing was changed\n' : ''}`;
}

/** "accepted 2 devices: gw-1, gw-2"; nothing changed is said as well. */
export function formatAllowedBundle({ bundleUuid, devices }: BundleAllowed): string {
  const lines = devices.map(({ deviceId, wasQuarantined, state }) => {
    const what = wasQuarantined ? 'may take it again' : 'was not known to have reverted it';
    return `${deviceId}: ${what}; ${orderTexts[state]}`;
  });
  return `${lines.join('\n')}\nbundle ${bundleUuid}\n`;
}

const orderTexts = {
  sent: 'the device is told',
  waiting: 'the device is told when it comes',
  held: 'its agent has not announced a list of its own',
} as const;

export function formatChanged(done: string, { changed, unchanged }: Changed): string {
  const lines = [];
  if (changed.length > 0) lines.push(`${done} ${plural(changed.length, 'device')}: ${changed.join(', ')}`);
  if (unchanged.length > 0) lines.push(`already so: ${unchanged.join(', ')}`);
  if (lines.length === 0) lines.push('no device matched');
  return `${lines.join('\n')}\n`;
}
