import type { Changed, Renewal } from '../../client/contract/index.ts';
import { formatAge, plural } from '../human.ts';
import type { Style } from '../paint.ts';
import { formatTable, type TableOption } from '../table.ts';
import type { RenewalOutcome } from '../wait-renewals.ts';
import { formatChanged } from './device.ts';
import { formatCounts } from './job.ts';

const styles: Partial<Record<Renewal['state'], Style>> = { failed: 'red', wanted: 'yellow' };

export function formatRenewals(renewals: readonly Renewal[], nowMs: number, option: TableOption = {}): string {
  if (renewals.length === 0) return 'no renewals are under way\n';
  const table = formatTable(
    renewals,
    [
      { title: 'DEVICE', value: (one) => one.deviceId },
      { title: 'STATE', value: (one) => one.state, style: (one) => styles[one.state] },
      { title: 'CAUSE', value: (one) => one.cause },
      { title: 'SINCE', value: (one) => formatAge(one.sinceMs, nowMs) },
      { title: 'ASKED', value: (one) => String(one.asks) },
      { title: 'LINK', value: (one) => (one.connected ? 'up' : 'away') },
      { title: 'DETAIL', value: (one) => one.reason, shrink: true },
    ],
    option,
  );
  const counts: Record<string, number> = {};
  for (const { state } of renewals) counts[state] = (counts[state] ?? 0) + 1;
  return `${table}${plural(renewals.length, 'renewal')}: ${formatCounts(counts)}\n`;
}

export function formatRenewed(changed: Changed, outcome: RenewalOutcome | undefined): string {
  const asked = formatChanged('asked for a new certificate:', changed);
  if (outcome === undefined) return asked;
  const { proven, waiting, failed } = outcome;
  const named = [
    ['waiting', waiting],
    ['failed', failed],
  ] as const;
  const lists = named.flatMap(([name, ids]) => (ids.length === 0 ? [] : [`${name}: ${ids.join(', ')}\n`]));
  return `${asked}proven: ${proven.length}, waiting: ${waiting.length}, failed: ${failed.length}\n${lists.join('')}`;
}
