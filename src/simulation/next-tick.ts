import { countsOffers } from '../coordinator/rollout/rate.ts';
import type { RolloutState } from '../coordinator/rollout/rollout-state.ts';

const minuteMs = 60_000;

/**
 * When only the time that has passed changes something: a soak that is over, a window, an offer that the rate allows
 * again, a device that leaves the penalty box. Infinity: nothing does. Time limits of devices are not among them.
 */
export function nextTickMs({ document, boxed, windows }: RolloutState): number {
  if (document.state !== 'running') return Infinity;
  const { phases, currentPhase, policy, recentOffers } = document;
  const phase = phases[currentPhase];
  const soakMs =
    phase?.state === 'soaking' && phase.soakingSinceMs !== undefined
      ? phase.soakingSinceMs + phase.soakSeconds * 1000
      : Infinity;
  let nextMs = soakMs;
  for (const atMs of boxed.values()) nextMs = Math.min(nextMs, atMs);
  for (const { untilMs } of windows.values()) nextMs = Math.min(nextMs, untilMs);
  const oldest = countsOffers(policy) ? recentOffers?.[0] : undefined;
  return oldest === undefined ? nextMs : Math.min(nextMs, oldest.atMs + minuteMs);
}
