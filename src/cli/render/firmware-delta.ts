import type { DeltaBundle } from '../../firmware/index.ts';
import { formatBytes } from '../human.ts';
import { formatTable, type TableOption } from '../table.ts';

/** What a delta bundle saves, resource by resource, and why it saves nothing where it does not. */
export function formatDelta(delta: DeltaBundle, option: TableOption = {}): string {
  const { before, after, resources, fileBytes, fullBytes } = delta;
  const table = formatTable(
    resources,
    [
      { title: 'RESOURCE', value: ({ name }) => name },
      { title: 'FULL', value: (resource) => formatBytes(resource.fullBytes), align: 'right' },
      { title: 'DELTA', value: (resource) => formatBytes(resource.deltaBytes), align: 'right' },
      { title: 'FROM', value: ({ from }) => from ?? '' },
      { title: 'NOTE', value: ({ reason }) => reason ?? '', shrink: true },
    ],
    option,
  );
  const share = Math.round((100 * fileBytes) / fullBytes);
  const saved = `${formatBytes(fileBytes)} instead of ${formatBytes(fullBytes)} (${share} %)`;
  return `${table}\n${before.version} to ${after.version}: ${saved}\n`;
}
