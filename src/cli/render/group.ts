import type { Group } from '../../client/contract/index.ts';
import { formatTime } from '../human.ts';
import { formatFields, formatTable, type TableOption } from '../table.ts';

export function formatGroups(groups: readonly Group[], option: TableOption = {}): string {
  if (groups.length === 0) return 'no groups\n';
  return formatTable(
    groups,
    [
      { title: 'GROUP', value: ({ name }) => name },
      { title: 'DEVICES', value: ({ matched }) => matched, align: 'right' },
      { title: 'SELECTOR', value: ({ expression }) => expression, shrink: true },
      { title: 'CHANGED BY', value: ({ changedBy }) => changedBy },
    ],
    option,
  );
}

export function formatGroup(group: Group): string {
  return formatFields({
    name: group.name,
    selector: group.expression,
    devices: group.matched,
    'used by': group.usedBy.length === 0 ? undefined : group.usedBy.join(', '),
    'changed by': group.changedBy,
    changed: formatTime(group.changedAtMs),
  });
}
