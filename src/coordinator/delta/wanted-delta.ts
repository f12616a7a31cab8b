import type { CoreState, StoredRelease } from '../core/core-state.ts';
import { isSettled } from '../rollout/view-rollout.ts';

/** What a delta is to be made between. */
export interface WantedDelta {
  before: StoredRelease;
  after: StoredRelease;
}

/** From so many bundles a release gets deltas: those that most devices run. */
const maxOrigins = 8;

/**
 * The delta that most devices would save with: to the newest release of a product and channel or one that is being rolled
 * out, from a published one that accepted devices run. Each is tried once.
 */
export function wantedDelta(state: CoreState): WantedDelta | undefined {
  const running = devicesByBundle(state);
  const byUuid = new Map([...state.releases.values()].map((stored) => [stored.release.bundleUuid, stored]));
  let best: (WantedDelta & { devices: number }) | undefined;
  for (const after of deltaDestinations(state)) {
    const tried = new Set((after.deltas ?? []).map(({ fromUuid }) => fromUuid));
    if (tried.size >= maxOrigins) continue;
    for (const [uuid, devices] of running) {
      const before = byUuid.get(uuid);
      if (before === undefined || tried.has(uuid) || !isPredecessor(before, after)) continue;
      if (best === undefined || devices > best.devices) best = { before, after, devices };
    }
  }
  return best;
}

function isPredecessor({ release: before }: StoredRelease, { release: after }: StoredRelease): boolean {
  return (
    before.product === after.product && before.platform === after.platform && before.bundleUuid !== after.bundleUuid
  );
}

/** The newest release of each product and channel, and what is being rolled out. */
export function deltaDestinations(state: CoreState): Set<StoredRelease> {
  const newest = new Map<string, StoredRelease>();
  for (const stored of state.releases.values()) {
    newest.set(`${stored.release.product}/${stored.release.channel}`, stored); // in order of publishing
  }
  const found = new Set(newest.values());
  for (const { document } of state.rollouts.values()) {
    const stored = document.release === undefined ? undefined : state.releases.get(document.release);
    if (stored !== undefined && !isSettled(document)) found.add(stored);
  }
  return found;
}

function devicesByBundle(state: CoreState): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { state: standing, running } of state.devices.values()) {
    const uuid = running?.bundleUuid;
    if (standing === 'accepted' && uuid !== undefined) counts.set(uuid, (counts.get(uuid) ?? 0) + 1);
  }
  return counts;
}
