import type { JobState } from './job-state.ts';

/**
 * Do devices work on it, or will they as soon as their turn comes? Those that are away do not count: a dead device must
 * not keep the next job from the others.
 */
export function isAtWork({ document, devices }: JobState, connected: (deviceId: string) => boolean): boolean {
  if (document.state !== 'running') return false;
  for (const { deviceId, state, wasSent } of devices) {
    if (state === 'finished') continue;
    if (state === 'delivered' || state === 'started' || state === 'holding') return true;
    if (state === 'queued' && wasSent === true) return true;
    if (connected(deviceId) && document.stopped === undefined) return true;
  }
  return false;
}
