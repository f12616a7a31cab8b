import type { CoordinatorStatus } from '../../client/contract/index.ts';
import { formatAge, formatDuration, formatTime } from '../human.ts';
import { formatCounts } from './job.ts';
import { formatFields } from '../table.ts';

export function formatStatus(status: CoordinatorStatus, nowMs: number): string {
  const { devices, store, listen } = status;
  return formatFields({
    fleet: status.fleetId,
    coordinator: `running, pid ${status.pid}, version ${status.version}`,
    started: `${formatTime(status.startedAtMs)} (up ${formatDuration(nowMs - status.startedAtMs)})`,
    listens: `${listen.host}:${listen.port}`,
    gateways: status.gateways.map(({ pid, connections }) => `pid ${pid}: ${connections} links`).join('; ') || 'none',
    devices: `${devices.total}, ${devices.connected} connected${devices.total > 0 ? ` (${formatCounts(devices.byState)})` : ''}`,
    running: `${status.jobs.running} jobs, ${status.rollouts.running} rollouts`,
    store: `${store.path} (${store.events} events, last offset ${store.lastOffset})`,
    deadletters: formatDepth(status.deadLetters, nowMs),
    bundles: status.blobDirectory,
    instance: status.instanceId,
  });
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
