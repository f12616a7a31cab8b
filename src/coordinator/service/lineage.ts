import type { CoreState } from '../core/core-state.ts';

/** The hardware that was in this place, the newest first. */
export function lineageOf(state: CoreState, deviceId: string): string[] {
  const ids = [deviceId];
  for (let id = state.devices.get(deviceId)?.replaces; id !== undefined && !ids.includes(id);) {
    ids.push(id);
    id = state.devices.get(id)?.replaces;
  }
  return ids;
}
