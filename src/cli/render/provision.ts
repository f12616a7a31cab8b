import type { HostCheck, HostReport, RemovedHost } from '../../provision/index.ts';
import { formatDuration } from '../human.ts';

const place = ({ host, deviceId }: { host: string; deviceId: string }): string =>
  host === deviceId ? host : `${host} as ${deviceId}`;

export function formatHostReport(report: HostReport): string {
  const { outcome, changes, durationMs, state, error, left } = report;
  const took = formatDuration(durationMs);
  if (error !== undefined) {
    const why = `${error.message}${error.seen === undefined ? '' : ` (${error.seen})`}`;
    return `${place(report)}: failed after ${took}: ${why} [${error.code}]${left === undefined ? '' : `; left over: ${left}`}`;
  }
  const standing = state === 'accepted' ? 'connected' : `connected, ${state}`;
  const did = outcome === 'unchanged' ? 'nothing to change' : `${outcome}, ${changes} steps`;
  return `${place(report)}: ${did}, ${standing} (${took})`;
}

export function formatHostCheck(check: HostCheck): string {
  if (check.error !== undefined) return `${place(check)}: failed: ${check.error.message} [${check.error.code}]`;
  if (check.differences.length === 0) return `${place(check)}: as it should be`;
  const lines = check.differences.map(({ what, seen, expected }) => `  ${what}: ${seen}, expected ${expected}`);
  return `${place(check)}: ${check.differences.length} differences\n${lines.join('\n')}`;
}

export function formatRemovedHost(removed: RemovedHost): string {
  const { outcome, changes, error } = removed;
  if (error !== undefined) return `${place(removed)}: failed: ${error.message} [${error.code}]`;
  return outcome === 'removed' ? `${place(removed)}: removed, ${changes} steps` : `${place(removed)}: was not there`;
}
