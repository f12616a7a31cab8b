import { setTimeout as delay } from 'node:timers/promises';
import type { CoordinatorClient } from '../client/coordinator-client.ts';
import { FlotillaError } from '../error.ts';

const pollMs = 200;

/** True once the coordinator does not answer any more, false when it still does after `timeoutMs`. */
export async function waitForSilence(client: CoordinatorClient, timeoutMs: number): Promise<boolean> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    try {
      await client.self();
    } catch (error) {
      if (error instanceof FlotillaError && error.code === 'coordinator-unreachable') return true;
    }
    if (performance.now() >= end) return false;
    await delay(pollMs);
  }
}
