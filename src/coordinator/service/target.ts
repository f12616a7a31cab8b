import { FlotillaError } from '../../error.ts';
import { parseSelector, selectIds, type Target } from '../../selector/index.ts';
import type { CoreState } from '../core/core-state.ts';

/** The state at one moment; every turn is one. */
export interface FleetView {
  readonly state: CoreState;
  readonly nowMs: number;
}

/** Devices that a job, a rollout or `select match` may mean: accepted ones, and no others. */
export function* acceptedTargets(state: CoreState): Generator<Target> {
  for (const { id, state: deviceState, grains, tags } of state.devices.values()) {
    if (deviceState === 'accepted') yield { id, grains, tags };
  }
}

/** All that are known, for the verbs that decide on them. */
export function* knownTargets(state: CoreState): Generator<Target> {
  for (const { id, grains, tags } of state.devices.values()) yield { id, grains, tags };
}

/** Ids of accepted devices that match, sorted. @throws FlotillaError for a selector that is not valid */
export function matchAccepted({ state, nowMs }: FleetView, selector: string): string[] {
  return selectIds(parseSelector(selector), acceptedTargets(state), nowMs);
}

/** Ids of known devices that match, sorted. @throws FlotillaError for a selector that is not valid */
export function matchKnown({ state, nowMs }: FleetView, selector: string): string[] {
  return selectIds(parseSelector(selector), knownTargets(state), nowMs);
}

/** As matchKnown. @throws FlotillaError `none-matched` when there are none */
export function requireKnown(view: FleetView, text: string): string[] {
  const ids = matchKnown(view, text);
  if (ids.length > 0) return ids;
  throw new FlotillaError('none-matched', 'device-none-matched', 'the selector matches no device', {
    seen: text,
    suggestion: 'flotilla device list',
  });
}

export function countAccepted(state: CoreState): number {
  let count = 0;
  for (const { state: deviceState } of state.devices.values()) if (deviceState === 'accepted') count += 1;
  return count;
}
