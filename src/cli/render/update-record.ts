import type { ReceiptTaken, UpdateRecord } from '../../client/contract/index.ts';
import { formatBytes, formatTime, plural } from '../human.ts';
import type { Style } from '../paint.ts';
import { formatTable, type TableOption } from '../table.ts';
import { formatCounts } from './job.ts';

const styles: Partial<Record<UpdateRecord['state'], Style>> = {
  committed: 'green',
  failed: 'red',
  'rolled-back': 'red',
  rejected: 'yellow',
};

export function formatUpdateRecords(records: readonly UpdateRecord[], option: TableOption = {}): string {
  if (records.length === 0) return 'no updates are on record\n';
  const table = formatTable(
    records,
    [
      { title: 'ENDED', value: ({ endedAtMs }) => formatTime(endedAtMs) },
      { title: 'RESULT', value: ({ state }) => state, style: ({ state }) => styles[state] },
      { title: 'FROM', value: ({ fromVersion }) => fromVersion },
      { title: 'TO', value: ({ version, bundleUuid }) => version ?? bundleUuid },
      { title: 'SLOT', value: slots },
      { title: 'BYTES', value: ({ evidence }) => evidence && formatBytes(evidence.downloadedBytes), align: 'right' },
      { title: 'SOURCE', value: ({ source, receipt }) => (receipt === undefined ? source : `${source}, signed`) },
      { title: 'ID', value: ({ id }) => id },
      { title: 'REASON', value: ({ reason }) => reason && `${reason.code}: ${reason.message}`, shrink: true },
    ],
    option,
  );
  const counts: Record<string, number> = {};
  for (const { state } of records) counts[state] = (counts[state] ?? 0) + 1;
  return `${table}${plural(records.length, 'update')}: ${formatCounts(counts)}\n`;
}

/** `a → b`; one alone where nothing ran after it. */
function slots({ evidence }: UpdateRecord): string | undefined {
  if (evidence?.before.slot === undefined) return undefined;
  return evidence.after?.slot === undefined ? evidence.before.slot : `${evidence.before.slot} → ${evidence.after.slot}`;
}

export function formatReceiptTaken({ outcome, record }: ReceiptTaken): string {
  const { deviceId, id, state, version, endedAtMs } = record;
  const what = `${deviceId} ${id}: ${state}${version === undefined ? '' : ` ${version}`}, ${formatTime(endedAtMs)}`;
  return outcome === 'accepted' ? `accepted  ${what}` : `known     ${what} (nothing changed)`;
}
