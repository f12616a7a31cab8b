import { FlotillaError } from '../../error.ts';
import { parseSelector, type Explanation, type Selector, type Target } from '../../selector/index.ts';
import { explainPlan, selectSet, type DeviceSet } from '../../selector/plan/index.ts';
import type { CoreState } from '../core/core-state.ts';
import { groupSource } from '../core/group-operation.ts';

/** The state at one moment; every turn is one. */
export interface FleetView {
  readonly state: CoreState;
  readonly nowMs: number;
}

/** With the fleet's named groups. @throws FlotillaError for a selector that is not valid */
export function parseFor(state: CoreState, selector: string): Selector {
  return parseSelector(selector, groupSource(state));
}

/** Ids of accepted devices that match, sorted. @throws FlotillaError for a selector that is not valid */
export function matchAccepted(view: FleetView, selector: string): string[] {
  return matchWithin(view, selector, view.state.registry.accepted);
}

/** Ids of known devices that match, sorted. @throws FlotillaError for a selector that is not valid */
export function matchKnown(view: FleetView, selector: string): string[] {
  return matchWithin(view, selector, view.state.registry.index.all);
}

/** Where every verb has its devices from. */
function matchWithin({ state, nowMs }: FleetView, selector: string, within: DeviceSet): string[] {
  const { index } = state.registry;
  return index.idsOf(selectSet(index, parseFor(state, selector).compiled, { within, nowMs }));
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

/** Those that `matchAccepted` chooses from, or those of them that match. */
export function* acceptedTargets(view: FleetView, selector?: string): Generator<Target> {
  const { index, accepted } = view.state.registry;
  for (const id of selector === undefined ? index.idsOf(accepted) : matchAccepted(view, selector)) {
    const target = index.get(id);
    if (target !== undefined) yield target;
  }
}

/** What each part of a selector means among the accepted devices. @throws FlotillaError `usage` */
export function explainAccepted({ state, nowMs }: FleetView, selector: string, deviceId?: string): Explanation {
  const { index, accepted } = state.registry;
  return explainPlan(parseFor(state, selector), index, { within: accepted, nowMs, deviceId });
}

export function countAccepted({ registry }: CoreState): number {
  return registry.acceptedCount;
}
