/**
 * The rules that a device passes before it is offered anything, in order. `reduce-rollout` offers by them and `why`
 * prints them: one code for both.
 */
import { nextOpening, type Window } from '../../window/index.ts';
import { actionOf } from './action-of.ts';
import type { OfferFacts } from './offer-facts.ts';
import { queueOf } from './offer-queue.ts';
import { describeWindows, judgeWindows, usesDeviceZone } from './offer-window.ts';
import { offersLately, rateLimit } from './rate.ts';
import { type RolloutState } from './rollout-state.ts';
import { rule, type OfferRule } from './rule.ts';
import { type TargetDevice } from './target-device.ts';
import { sumTallies } from './tally.ts';

/** A device with this tag is offered nothing; the tag's value says why. */
export const pinTag = 'update-hold';

/** Every rule for a target that has not been offered yet. The first that is not `ok` decides. */
export function* offerRules(
  state: RolloutState,
  target: TargetDevice,
  facts: OfferFacts,
  nowMs: number,
): Generator<OfferRule> {
  yield rolloutRule(state);
  yield* deviceRules(state, target, facts, nowMs);
  yield* fleetRules(state, nowMs);
  yield* queueRules(state, queueOf(state.queues, target), nowMs);
}

export function rolloutRule({ document: { id, state, reason } }: RolloutState): OfferRule {
  return rule('rollout', state === 'running' ? 'ok' : 'waits', () =>
    reason === undefined ? `${id} is ${state}` : `${id} is ${state}: ${reason}`,
  );
}

/** What is asked of the device itself. */
export function* deviceRules(
  state: RolloutState,
  target: TargetDevice,
  facts: OfferFacts,
  nowMs: number,
): Generator<OfferRule> {
  const { document } = state;
  const asking = { document, target, facts, nowMs };
  const action = actionOf(document);
  const registered = facts.state(target.deviceId);
  yield rule('registered', registered === undefined ? 'cancel' : 'ok', () =>
    registered === undefined ? 'the device was removed from the fleet' : `the device is ${registered}`,
  );
  if (registered === undefined) return;
  for (const each of action.fits(asking)) yield each;
  const pin = facts.tag(target.deviceId, pinTag);
  yield rule('pin', pin === undefined ? 'ok' : 'cancel', () =>
    pin === undefined ? `no tag ${pinTag}` : `held by the tag ${pinTag}: ${pin}`,
  );
  yield rule('phase', target.phase <= document.currentPhase ? 'ok' : 'waits', () => {
    const phase = document.phases[document.currentPhase];
    return `in phase ${target.phase + 1} of ${document.phases.length}; phase ${document.currentPhase + 1} is ${phase?.state ?? 'over'}`;
  });
  const connected = facts.connected(target.deviceId);
  yield rule('connected', connected ? 'ok' : 'waits', () => (connected ? 'connected' : 'not connected'));
  for (const each of action.ready(asking)) yield each;
  const holder = facts.holder(target.deviceId);
  const held = holder !== undefined && holder !== document.id;
  yield rule('turn', held ? 'waits' : 'ok', () => (held ? `${holder} has it first` : 'no other rollout has it'));
  const { retries = 0, notBeforeMs = 0 } = target;
  if (document.policy.retry !== undefined || retries > 0) {
    yield rule('retries', notBeforeMs > nowMs ? 'waits' : 'ok', () => {
      const spent = `${retries} of ${document.policy.retry?.perDevice ?? 0} retries are used`;
      return notBeforeMs > nowMs ? `${spent}; in the penalty box until ${iso(notBeforeMs)}` : spent;
    });
  }
  for (const each of action.notes(asking)) yield each;
}

/** Limits that hold everybody back at once. */
export function* fleetRules(state: RolloutState, nowMs: number): Generator<OfferRule> {
  const { policy, recentOffers } = state.document;
  const { inFlight, proven } = sumTallies(state.tallies);
  const windows = policy.windows?.offer;
  if (windows !== undefined && !usesDeviceZone(windows)) yield windowRule(windows, state, undefined, nowMs);
  yield rule(
    'in-flight',
    inFlight < policy.maxInFlight ? 'ok' : 'waits',
    () => `${inFlight} of at most ${policy.maxInFlight} are being updated`,
  );
  const limit = rateLimit(policy, proven);
  if (limit === undefined) return;
  const offered = offersLately(recentOffers, nowMs);
  yield rule('rate', offered < limit ? 'ok' : 'waits', () => {
    const ramp = policy.ramp === undefined ? '' : ` (ramp: ${proven} are proven)`;
    return `${offered} of at most ${limit} offers in the last minute${ramp}`;
  });
}

/** Limits that hold back all devices of one value of the capped grain, or of one zone. */
export function* queueRules(state: RolloutState, queue: number, nowMs: number): Generator<OfferRule> {
  const { policy } = state.document;
  const entry = state.queues.queues[queue];
  if (entry === undefined) return;
  const windows = policy.windows?.offer;
  if (windows !== undefined && usesDeviceZone(windows)) yield windowRule(windows, state, entry.zone, nowMs);
  const cap = policy.maxInFlightPer;
  if (cap === undefined) return;
  const inFlight = state.inFlight[entry.group] ?? 0;
  yield rule(
    'in-flight-per',
    inFlight < cap.count ? 'ok' : 'waits',
    () => `${inFlight} of at most ${cap.count} of the same ${cap.place} are being updated`,
  );
}

function windowRule(windows: readonly Window[], state: RolloutState, zone: string | undefined, nowMs: number) {
  const { open } = state.windows.get(zone ?? '') ?? judgeWindows(windows, nowMs, zone);
  return rule('window', open ? 'ok' : 'waits', () => {
    const where = zone === undefined ? '' : `; the device is in ${zone}`;
    if (open) return `open: ${describeWindows(windows)}${where}`;
    const openings = windows.map((window) => nextOpening(window, nowMs, zone) ?? Infinity);
    const next = Math.min(...openings);
    return `closed until ${Number.isFinite(next) ? iso(next) : 'a time that never comes'}: ${describeWindows(windows)}${where}`;
  });
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
