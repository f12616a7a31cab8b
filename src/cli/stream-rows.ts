import { FlotillaError } from '../error.ts';

/**
 * Hands each row of an endless stream to `onRow` until it is aborted or has given `limit` rows. Such a stream never ends by itself: an end
 * means that the coordinator went away.
 */
export async function streamRows<Row>(
  rows: AsyncIterable<Row>,
  onRow: (row: Row) => void,
  signal: AbortSignal,
  limit = Infinity,
): Promise<void> {
  let count = 0;
  for await (const row of rows) {
    onRow(row);
    count += 1;
    if (count >= limit) return;
  }
  if (signal.aborted) return;
  throw new FlotillaError('unreachable', 'follow-ended', 'the coordinator closed the stream', {
    suggestion: 'flotilla coordinator status',
  });
}
