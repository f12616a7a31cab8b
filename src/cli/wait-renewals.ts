import { setTimeout as delay } from 'node:timers/promises';
import type { CoordinatorClient } from '../client/coordinator-client.ts';

/** Device ids. */
export interface RenewalOutcome {
  proven: string[];
  failed: string[];
  /** The time was over. */
  waiting: string[];
}

const pollMs = 500;

/** Asks until every renewal of these devices has ended, or failed, or the time is over. */
export async function waitRenewals(
  client: Pick<CoordinatorClient, 'renewals'>,
  deviceIds: readonly string[],
  timeoutMs: number,
): Promise<RenewalOutcome> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const states = new Map((await client.renewals()).map(({ deviceId, state }) => [deviceId, state]));
    const outcome: RenewalOutcome = { proven: [], failed: [], waiting: [] };
    for (const id of deviceIds) {
      const state = states.get(id);
      (state === undefined ? outcome.proven : state === 'failed' ? outcome.failed : outcome.waiting).push(id);
    }
    if (outcome.waiting.length === 0 || performance.now() >= end) return outcome;
    await delay(Math.min(pollMs, Math.max(1, end - performance.now())));
  }
}
