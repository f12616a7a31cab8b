import type { CoordinatorStatus } from '../../client/contract/index.ts';
import { formatDuration, formatTime } from '../human.ts';
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
    bundles: status.blobDirectory,
    instance: status.instanceId,
  });
}
