import type { Lane } from '../protocol/lane.ts';

export type PerLane<T> = readonly [T, T, T, T];
export const allLanes: PerLane<Lane> = [0, 1, 2, 3];

export function perLane<T>(make: () => T): PerLane<T> {
  return [make(), make(), make(), make()];
}
