import type { CoordinatorStatus } from '../../client/contract/index.ts';
import { formatAge, formatDuration, formatTime } from '../human.ts';
import { formatCounts } from './job.ts';
import { printable } from '../printable.ts';
import { formatFields } from '../table.ts';

const maxAlerts = 5;

export function formatStatus(status: CoordinatorStatus, nowMs: number): string {
  const { devices, store, listen } = status;
  return formatFields({
    fleet: status.fleetId,
    coordinator: `running, pid ${status.pid}, version ${status.version}`,
    started: `${formatTime(status.startedAtMs)} (up ${formatDuration(nowMs - status.startedAtMs)})`,
    listens: `${listen.host}:${listen.port}`,
    recovery: status.recoveryPort === undefined ? 'off' : `port ${status.recoveryPort}`,
    api: formatApi(status.api),
    gateways: status.gateways.map(({ pid, connections }) => `pid ${pid}: ${connections} links`).join('; ') || 'none',
    devices: `${devices.total}, ${devices.connected} connected${devices.total > 0 ? ` (${formatCounts(devices.byState)})` : ''}`,
    running: `${status.jobs.running} jobs, ${status.rollouts.running} rollouts`,
    store: `${store.path} (${store.events} events, last offset ${store.lastOffset})`,
    alerts: formatAlerts(status, nowMs),
    hook: formatHook(status, nowMs),
    deadletters: formatDepth(status.deadLetters, nowMs),
    bundles: status.blobDirectory,
    instance: status.instanceId,
  });
}

/** What the application has said about connects since the start. */
function formatHook({ connectHook: hook }: CoordinatorStatus, nowMs: number): string | undefined {
  if (hook === undefined) return undefined;
  const { asking, waiting, allowed, denied, quarantined, failed, lastFailure } = hook;
  const last =
    lastFailure === undefined ? '' : ` (last ${formatAge(lastFailure.atMs, nowMs)}: ${printable(lastFailure.reason)})`;
  const said = `${allowed} allowed, ${denied} denied, ${quarantined} quarantined, ${failed} failed${last}`;
  return `${said}; ${asking} are asked now, ${waiting} wait`;
}

/** One line each: "clone gw-007: two devices have this identity, 3m ago: flotilla why gw-007". */
function formatAlerts({ alerts, alertCount }: CoordinatorStatus, nowMs: number): string {
  if (alertCount === 0) return 'none';
  const shown = alerts.slice(0, maxAlerts).map(({ deviceId, kind, detail, atMs }) => {
    return `${kind} ${deviceId}: ${printable(detail)}, ${formatAge(atMs, nowMs)}`;
  });
  const more = alertCount > shown.length ? ` (and ${alertCount - shown.length} more)` : '';
  return `${shown.join('; ')}${more}; see flotilla why DEVICE`;
}

/** "3: handler meter.reading 2 (oldest 2h5m ago), frame 1 (…)": those that wait for a decision. */
function formatDepth(depth: CoordinatorStatus['deadLetters'], nowMs: number): string {
  const total = depth.reduce((sum, { count }) => sum + count, 0);
  if (total === 0) return 'none';
  const parts = depth.map(({ layer, type, count, oldestAtMs }) => {
    const name = type === '' ? layer : `${layer} ${type}`;
    return `${name} ${count} (oldest ${formatAge(oldestAtMs, nowMs)})`;
  });
  return `${total}: ${parts.join(', ')}`;
}

function formatApi({ certificate, token }: CoordinatorStatus['api']): string {
  const parts = Object.entries({ certificates: certificate, tokens: token }).flatMap(([what, at]) =>
    at === undefined ? [] : [`${at.host}:${at.port} for ${what}`],
  );
  return ['the unix socket', ...parts].join(', ');
}
