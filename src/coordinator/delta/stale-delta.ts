import type { CoreState, StoredRelease } from '../core/core-state.ts';
import { isInFlight } from '../rollout/target-device.ts';
import { deltaDestinations } from './wanted-delta.ts';

export interface StaleDelta {
  releaseId: string;
  fromUuid: string;
  sha256: string;
}

/**
 * Deltas that nobody will be offered any more: to a release that is neither the newest of its channel nor rolled out, or
 * all of them where they are turned off. One that a device is fetching stays.
 */
export function staleDeltas(state: CoreState, isOn: boolean): StaleDelta[] {
  const current = isOn ? deltaDestinations(state) : new Set<StoredRelease>();
  const stale = madeDeltas(state).filter(({ releaseId }) => !current.has(state.releases.get(releaseId)!));
  if (stale.length === 0) return [];
  const fetched = fetchedDeltas(state);
  return stale.filter(({ sha256 }) => !fetched.has(sha256));
}

export function madeDeltas({ releases }: CoreState): (StaleDelta & { sizeBytes: number })[] {
  return [...releases.values()].flatMap(({ release, deltas = [] }) =>
    deltas.flatMap((delta) => {
      if (!('offer' in delta)) return [];
      const { sha256, sizeBytes } = delta.offer;
      return [{ releaseId: release.id, fromUuid: delta.fromUuid, sha256, sizeBytes }];
    }),
  );
}

/** Is this file also a release, or another release's delta? */
export function isSharedBlob(state: CoreState, { releaseId, sha256 }: StaleDelta): boolean {
  return (
    [...state.releases.values()].some(({ release }) => release.sha256 === sha256) ||
    madeDeltas(state).some((other) => other.releaseId !== releaseId && other.sha256 === sha256)
  );
}

function fetchedDeltas({ rollouts }: CoreState): Set<string> {
  const found = new Set<string>();
  for (const { devices } of rollouts.values()) {
    for (const { state, deltaSha256 } of devices)
      if (deltaSha256 !== undefined && isInFlight(state)) found.add(deltaSha256);
  }
  return found;
}
