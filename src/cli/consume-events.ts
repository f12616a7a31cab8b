import { randomBytes } from 'node:crypto';
import type { ConsumerQuery, CoordinatorClient, StoredEvent } from '../client/index.ts';
import { FlotillaError } from '../error.ts';

/** A name for one stream, so that the coordinator knows whose answer it hears. */
export function newSession(): string {
  return randomBytes(8).toString('hex');
}

export interface Consumed {
  /** Acknowledged, in the coordinator's store. */
  offset: number;
}

/**
 * Hands each row of a consumer to `show`, and acknowledges what was shown, as soon as the last acknowledgement is
 * answered. Also after an interruption: what was shown is not shown again.
 */
export async function consumeEvents(
  client: Pick<CoordinatorClient, 'streamConsumer' | 'acknowledge'>,
  name: string,
  query: Omit<ConsumerQuery, 'session'> & { limit?: number },
  show: (event: StoredEvent) => Promise<void>,
  signal: AbortSignal,
): Promise<Consumed> {
  const { limit = Infinity, ...rest } = query;
  let shown = 0;
  let count = 0;
  let acked = 0;
  let acking: Promise<void> | undefined;
  let failure: unknown;
  const acknowledge = async (): Promise<void> => {
    while (acked < shown) {
      const upTo = shown;
      await client.acknowledge(name, upTo);
      acked = upTo;
    }
  };
  const leave = new AbortController();
  try {
    const rows = client.streamConsumer(
      name,
      { ...rest, session: newSession() },
      AbortSignal.any([signal, leave.signal]),
    );
    for await (const event of rows) {
      await show(event);
      shown = event.offset;
      count += 1;
      acking ??= acknowledge()
        .catch((error) => {
          failure = error;
          leave.abort();
        })
        .finally(() => (acking = undefined));
      if (count >= limit) break;
    }
  } finally {
    await acking;
    if (failure === undefined) await acknowledge();
  }
  if (failure !== undefined) throw failure;
  if (!signal.aborted && count < limit && rest.once !== true) {
    throw new FlotillaError('unreachable', 'follow-ended', 'the coordinator closed the stream', {
      suggestion: 'flotilla coordinator status',
    });
  }
  return { offset: acked };
}
