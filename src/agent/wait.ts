/** Waiting, always with a way out: a time limit or an abort signal, and the clock is the caller's. */
import type { Clock } from '../clock.ts';
import type { Link } from './link/port.ts';

export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    const abort = () => {
      cancel();
      reject(signal?.reason as Error);
    };
    const cancel = clock.schedule(delayMs, () => {
      signal?.removeEventListener('abort', abort);
      resolve();
    });
    signal?.addEventListener('abort', abort, { once: true });
  });
}

/** True once the link is live, false when `timeoutMs` (forever, if absent) passes before. */
export function linkIsLive(
  link: Pick<Link, 'status' | 'onChange'>,
  clock: Clock,
  option: { timeoutMs?: number; signal?: AbortSignal },
): Promise<boolean> {
  const { timeoutMs, signal } = option;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    if (link.status().state === 'live') return resolve(true);
    const leave = () => {
      unsubscribe();
      cancel?.();
      signal?.removeEventListener('abort', abort);
    };
    const abort = () => {
      leave();
      reject(signal?.reason as Error);
    };
    const unsubscribe = link.onChange((status) => {
      if (status.state !== 'live') return;
      leave();
      resolve(true);
    });
    const cancel =
      timeoutMs === undefined
        ? undefined
        : clock.schedule(timeoutMs, () => {
            leave();
            resolve(false);
          });
    signal?.addEventListener('abort', abort, { once: true });
  });
}
