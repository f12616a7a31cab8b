import type { CoordinatorClient } from '../client/index.ts';

/** The offset of the first event that was received since then; of the next one to come when there is none. */
export async function firstOffsetSince(
  client: Pick<CoordinatorClient, 'events' | 'status'>,
  sinceMs: number | undefined,
): Promise<number> {
  const { store } = await client.status();
  const [first] = sinceMs === undefined ? [] : await client.events({ from: 1, limit: 1, sinceMs });
  return first?.offset ?? store.lastOffset + 1;
}
