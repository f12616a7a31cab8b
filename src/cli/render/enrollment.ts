import type { EnrollmentTokenView, PreregistrationView } from '../../client/contract/index.ts';
import { formatAge } from '../human.ts';
import { formatTable, type TableOption } from '../table.ts';

const pairs = (values: Record<string, string>): string =>
  Object.entries(values)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');

export function formatTokens(tokens: readonly EnrollmentTokenView[], nowMs: number, option: TableOption): string {
  return formatTable(
    tokens,
    [
      { title: 'TOKEN', value: ({ id }) => id },
      {
        title: 'STATE',
        value: ({ state }) => state,
        style: ({ state }) => (state === 'active' ? 'green' : 'dim'),
      },
      { title: 'USES', value: ({ uses, maxUses }) => `${uses} of ${maxUses}`, align: 'right' },
      { title: 'ENDS', value: ({ expiresAtMs }) => formatAge(expiresAtMs, nowMs) },
      { title: 'DEVICES', value: ({ idPattern }) => idPattern ?? 'any new' },
      { title: 'LETS IN AS', value: ({ pending }) => (pending ? 'pending' : 'accepted') },
      { title: 'TAGS', value: ({ tags }) => pairs(tags) || undefined, shrink: true },
      { title: 'BOUND GRAINS', value: ({ grains }) => pairs(grains) || undefined, shrink: true },
      { title: 'BY', value: ({ createdBy }) => createdBy },
      { title: 'NOTE', value: ({ note }) => note, shrink: true },
    ],
    option,
  );
}

export function formatManifest(rows: readonly PreregistrationView[], nowMs: number, option: TableOption): string {
  return formatTable(
    rows,
    [
      { title: 'DEVICE', value: ({ deviceId }) => deviceId },
      {
        title: 'CAME',
        value: ({ enrolledAtMs }) => (enrolledAtMs === undefined ? 'not yet' : formatAge(enrolledAtMs, nowMs)),
      },
      { title: 'SERIAL', value: ({ hardwareSerial }) => hardwareSerial },
      { title: 'KEY', value: ({ keySha256 }) => keySha256?.slice(0, 16) },
      { title: 'LETS IN AS', value: ({ pending }) => (pending === true ? 'pending' : 'accepted') },
      { title: 'TAGS', value: ({ tags }) => pairs(tags) || undefined, shrink: true },
      { title: 'BOUND GRAINS', value: ({ grains }) => pairs(grains) || undefined, shrink: true },
    ],
    option,
  );
}
