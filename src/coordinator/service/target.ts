import { FlotillaError } from '../../error.ts';
import { parseSelector, type Explanation, type Selector } from '../../selector/index.ts';
import { explainPlan, selectSet, type DeviceSet } from '../../selector/plan/index.ts';
import type { CoreState } from '../core/core-state.ts';

/** The state at one moment; every turn is one. */
export interface FleetView {
  readonly state: CoreState;
  readonly nowMs: number;
}

/** @throws FlotillaError for a selector that is not valid */
export function parseFor(_state: CoreState, selector: string): Selector {
  return parseSelector(selector);
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

/** What each part of a selector means among the accepted devices. @throws FlotillaError `usage` */
export function explainAccepted({ state, nowMs }: FleetView, selector: string, deviceId?: string): Explanation {
  const { index, accepted } = state.registry;
  return explainPlan(parseFor(state, selector), index, { within: accepted, nowMs, deviceId });
}

export function countAccepted({ registry }: CoreState): number {
  return registry.acceptedCount;
}
