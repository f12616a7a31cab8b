import { setTimeout as delay } from 'node:timers/promises';
import { FlotillaError } from '../error.ts';

export interface WaitOption {
  what: string;
  signal: AbortSignal;
  timeoutMs?: number;
  everyMs?: number;
}

/** Asks until the answer is there; throws `demo-not-seen` when the time is over. */
export async function waitUntil<T>(
  probe: () => T | undefined | Promise<T | undefined>,
  { what, signal, timeoutMs = 30_000, everyMs = 25 }: WaitOption,
): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined) return value;
    if (performance.now() > end) {
      throw new FlotillaError('failed', 'demo-not-seen', what, {
        seen: 'nothing of it',
        expected: `within ${timeoutMs / 1000} s`,
      });
    }
    await delay(everyMs, undefined, { signal });
  }
}
