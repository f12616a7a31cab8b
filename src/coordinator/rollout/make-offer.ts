/** Who is offered it now: the rules are asked in the order of their reach, so that few are asked for many. */
import { actionOf } from './action-of.ts';
import { deviceRules, fleetRules, queueRules } from './offer-rule.ts';
import { queueOf, rankFrom } from './offer-queue.ts';
import { holds, judgeWindows, usesDeviceZone } from './offer-window.ts';
import { countsOffers, withOffer, withoutFuture } from './rate.ts';
import type { RolloutDraft } from './rollout-draft.ts';
import type { OfferRule } from './rule.ts';

/** What a rule that ends a device's part in a rollout is called there. */
const endings: Record<string, string> = {
  quarantine: 'bundle-quarantined',
  pin: 'device-pinned',
  registered: 'device-removed',
  conduct: 'agent-too-old',
  takes: 'agent-too-old',
};

export function offer(draft: RolloutDraft): void {
  lookAtClock(draft);
  lookAtWindows(draft);
  if (!offerAgain(draft)) return;
  // Devices stand in the order of their phases: behind this one is nobody whose phase has begun.
  const { tallies, document } = draft.state;
  const end = tallies.slice(0, document.currentPhase + 1).reduce((sum, { targets }) => sum + targets, 0);
  for (let queue = 0; queue < draft.state.lookFrom.length; queue += 1) {
    if (draft.state.lookFrom[queue]! >= end) continue;
    if (!offerQueue(draft, queue)) return;
  }
}

/** Those that came back, one by one. False when nobody else can be offered anything now. */
function offerAgain(draft: RolloutDraft): boolean {
  const { again } = draft.state;
  for (const [done, position] of again.entries()) {
    const stop = offerAt(draft, position);
    if (stop === 'fleet') {
      draft.state = { ...draft.state, again: again.slice(done) };
      return false;
    }
    if (stop === 'queue') draft.lookFrom(position);
  }
  if (again.length > 0) draft.state = { ...draft.state, again: [] };
  return true;
}

/** False when nobody else can be offered anything now. */
function offerQueue(draft: RolloutDraft, number: number): boolean {
  const queue = draft.state.queues.queues[number]!;
  let rank = rankFrom(queue, draft.state.lookFrom[number]!);
  let stop: Stop | undefined;
  for (; rank < queue.positions.length; rank += 1) {
    const position = queue.positions.at(rank);
    if (draft.state.devices.at(position).phase > draft.document.currentPhase) break;
    stop = offerAt(draft, position);
    if (stop !== undefined) break;
  }
  // Whoever was held back, and all behind, are looked at again at the next step.
  const from = rank < queue.positions.length ? queue.positions.at(rank) : draft.state.devices.length;
  draft.state = { ...draft.state, lookFrom: draft.state.lookFrom.with(number, from) };
  return stop !== 'fleet';
}

/** What holds back more than this one device. */
type Stop = 'fleet' | 'queue';

function offerAt(draft: RolloutDraft, position: number): Stop | undefined {
  const device = draft.state.devices.at(position);
  if (device.state !== 'queued') return undefined;
  const own = firstNo(deviceRules(draft.state, device, draft.facts, draft.nowMs));
  if (own === undefined) {
    if (firstNo(fleetRules(draft.state, draft.nowMs)) !== undefined) return 'fleet';
    const queue = queueOf(draft.state.queues, device);
    if (firstNo(queueRules(draft.state, queue, draft.nowMs)) !== undefined) return 'queue';
    makeOffer(draft, position);
  } else if (own.result === 'already') draft.move(position, 'already');
  else if (own.result !== 'waits') {
    const state = own.result === 'reject' ? 'rejected' : 'cancelled';
    draft.move(position, state, { code: endings[own.rule] ?? own.rule, message: own.detail() });
  }
  return undefined;
}

function firstNo(rules: Iterable<OfferRule>): OfferRule | undefined {
  for (const each of rules) if (each.result !== 'ok') return each;
  return undefined;
}

function makeOffer(draft: RolloutDraft, position: number): void {
  const device = draft.state.devices.at(position);
  const { document, facts, nowMs } = draft;
  const { kept, effects } = actionOf(document).ask({ document, target: device, facts, nowMs });
  const {
    deltaSha256: _d,
    notBeforeMs: _n,
    progressBytes: _p,
    evidence: _e,
    proof: _f,
    reason: _r,
    bootIdAtOffer: _b,
    serialAtOffer: _s,
    ...asBefore
  } = device;
  draft.put(position, {
    ...asBefore,
    ...kept,
    state: 'offered',
    sinceMs: nowMs,
    activeAtMs: nowMs,
    attempts: device.attempts + 1,
  });
  if (countsOffers(document.policy)) {
    const recentOffers = withOffer(document.recentOffers, nowMs);
    draft.state = { ...draft.state, document: { ...draft.document, recentOffers } };
  }
  draft.effects.push(...effects);
}

function lookAtClock(draft: RolloutDraft): void {
  const { recentOffers } = draft.document;
  const past = withoutFuture(recentOffers, draft.nowMs);
  if (past === undefined || past === recentOffers) return;
  draft.state = { ...draft.state, document: { ...draft.document, recentOffers: past } };
}

/** Windows change at few times: what was found of them is kept until then. */
function lookAtWindows(draft: RolloutDraft): void {
  const windows = draft.document.policy.windows?.offer;
  if (windows === undefined) return;
  const zones = usesDeviceZone(windows) ? draft.state.queues.queues.map(({ zone = '' }) => zone) : [''];
  const old = zones.filter((zone) => !holds(draft.state.windows.get(zone), draft.nowMs));
  if (old.length === 0) return;
  const next = new Map(draft.state.windows);
  for (const zone of new Set(old)) next.set(zone, judgeWindows(windows, draft.nowMs, zone === '' ? undefined : zone));
  draft.state = { ...draft.state, windows: next };
}
