import type { Consumer } from '../../client/contract/index.ts';
import { formatTable, type TableOption } from '../table.ts';

const formatFilter = ({ filter }: Consumer): string =>
  Object.entries(filter)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ') || 'all';

const formatTried = ({ tried }: Consumer): string | undefined =>
  tried.map(({ offset, attempts }) => `${offset} (${attempts}x)`).join(', ') || undefined;

export function formatConsumers(consumers: readonly Consumer[], option: TableOption = {}): string {
  if (consumers.length === 0) return 'no consumers\n';
  return formatTable(
    consumers,
    [
      { title: 'CONSUMER', value: ({ name }) => name },
      { title: 'OFFSET', value: ({ offset }) => offset, align: 'right' },
      { title: 'LAG', value: ({ lag }) => lag, align: 'right' },
      { title: 'STREAM', value: ({ connected }) => (connected ? 'open' : 'none') },
      { title: 'OPEN', value: ({ open }) => open, align: 'right' },
      { title: 'RETRIES', value: formatTried, shrink: true },
      { title: 'EVENTS', value: formatFilter, shrink: true },
    ],
    option,
  );
}
