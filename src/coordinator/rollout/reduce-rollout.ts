/**
 * One rollout. Pure: `(rollout, input, now) → (rollout, effects)`; an input that makes no sense in the present state
 * returns the same state and no effects.
 *
 *   rollout: running ⇄ paused; running → halted → running (an operator resumes); any of them → aborted; → completed
 *   device:  waiting → queued → offered → downloading → verified → installing → rebooting → testing
 *            → committed | rolled-back | failed | timed-out | rejected | cancelled;   queued → already
 *
 * A device ends exactly once. What it tells afterwards is kept with its row and changes no count.
 */
import type { Reduced } from '../effect.ts';
import type { UpdateEvent } from '../../protocol/event.ts';
import { applyUpdate } from './apply-update.ts';
import { haltReason, judgePhase } from './gate.ts';
import { firstObstacle, type OfferFacts } from './offer-rule.ts';
import { RolloutDraft } from './rollout-draft.ts';
import { deadlineOf } from './rollout-timer.ts';
import { type RolloutState } from './rollout-state.ts';
import { isInFlight, isOpen } from './target-device.ts';
import { sumTallies } from './tally.ts';

export type RolloutInput =
  /** Just stored, or loaded: do what is due. */
  | { kind: 'open' }
  | { kind: 'update'; deviceId: string; event: UpdateEvent }
  /** It connected, disconnected or booted: a queued device may be offered now. */
  | { kind: 'presence'; deviceId: string }
  | { kind: 'removed'; deviceId: string }
  | { kind: 'pause'; reason: string }
  | { kind: 'resume' }
  | { kind: 'abort'; reason: string }
  | { kind: 'tick' };

export function reduceRollout(
  state: RolloutState,
  input: RolloutInput,
  facts: OfferFacts,
  nowMs: number,
): Reduced<RolloutState> {
  const draft = new RolloutDraft(state, facts, nowMs);
  step(draft, input);
  advance(draft);
  return { state: draft.state, effects: draft.effects };
}

function step(draft: RolloutDraft, input: RolloutInput): void {
  switch (input.kind) {
    case 'open':
      return;
    case 'update':
      return applyUpdate(draft, input.deviceId, input.event);
    case 'presence':
      return onDevice(draft, input.deviceId, (position) => {
        if (draft.state.devices.at(position).state === 'queued') draft.lookAgainAt(position);
      });
    case 'removed':
      return onDevice(draft, input.deviceId, (position) => {
        if (!isOpen(draft.state.devices.at(position).state)) return;
        draft.move(position, 'cancelled', { code: 'device-removed', message: 'the device was removed from the fleet' });
      });
    case 'pause':
      if (draft.document.state === 'running') draft.revise({ state: 'paused', reason: input.reason });
      return;
    case 'resume':
      return resume(draft);
    case 'abort':
      return abort(draft, input.reason);
    case 'tick':
      return endSilent(draft);
  }
}

function onDevice(draft: RolloutDraft, deviceId: string, act: (position: number) => void): void {
  const position = draft.state.index.get(deviceId);
  if (position !== undefined) act(position);
}

/** From a pause the gates are judged as they stand; a halt is lifted by accepting the failures so far. */
function resume(draft: RolloutDraft): void {
  const { state, forgiven } = draft.document;
  if (state !== 'paused' && state !== 'halted') return;
  const { failures, ended } = sumTallies(draft.state.tallies);
  const { reason: _, ...document } = draft.document;
  const phases = document.phases.map((phase) =>
    phase.state === 'failed' ? { ...phase, state: 'passed' as const } : phase,
  );
  draft.state = { ...draft.state, scanFrom: 0, document };
  draft.revise({ state: 'running', phases, forgiven: state === 'halted' ? { failures, ended } : forgiven });
}

function abort(draft: RolloutDraft, reason: string): void {
  const { state } = draft.document;
  if (state === 'aborted' || state === 'completed') return;
  draft.revise({ state: 'aborted', reason, endedAtMs: draft.nowMs });
  for (const [position, device] of [...draft.state.devices].entries()) {
    if (device.state === 'waiting' || device.state === 'queued') {
      draft.move(position, 'cancelled', { code: 'rollout-aborted', message: reason });
    } else if (isInFlight(device.state)) draft.requestCancel(device.deviceId, reason);
  }
}

function halt(draft: RolloutDraft, reason: string): void {
  draft.revise({ state: 'halted', reason });
  for (const device of draft.state.devices) {
    if (device.state === 'offered') draft.requestCancel(device.deviceId, reason);
  }
}

/** Timers run whatever the rollout's state is: a device that was being updated must come to an end. */
function endSilent(draft: RolloutDraft): void {
  for (const [position, device] of [...draft.state.devices].entries()) {
    if (!isOpen(device.state)) continue;
    const presence = {
      connected: draft.facts.connected(device.deviceId),
      sinceMs: draft.facts.device(device.deviceId)?.sinceMs ?? 0,
    };
    const deadline = deadlineOf(draft.document, device, presence);
    if (deadline === undefined || draft.nowMs < deadline.atMs) continue;
    draft.move(position, 'timed-out', { code: `timed-out-${device.state}`, message: deadline.reason });
    if (device.state !== 'queued') draft.requestCancel(device.deviceId, deadline.reason);
  }
}

/** What follows from the state as it is now: halt, next phase, offers, completion. */
function advance(draft: RolloutDraft): void {
  while (draft.document.state === 'running') {
    const reason = haltReason(draft.state);
    if (reason !== undefined) return halt(draft, reason);
    openPhase(draft);
    offer(draft);
    if (!closePhase(draft)) return;
  }
}

/** Devices of the phase that runs, and of earlier ones, may be offered. */
function openPhase(draft: RolloutDraft): void {
  const { currentPhase } = draft.document;
  if ((draft.state.tallies[currentPhase]?.waiting ?? 0) === 0) return;
  for (let position = 0; position < draft.state.devices.length; position += 1) {
    const device = draft.state.devices.at(position);
    if (device.phase > currentPhase) break;
    if (device.state !== 'waiting') continue;
    draft.move(position, 'queued');
    draft.lookAgainAt(position);
  }
}

function offer(draft: RolloutDraft): void {
  let position = draft.state.scanFrom;
  let full = false;
  for (; position < draft.state.devices.length; position += 1) {
    const device = draft.state.devices.at(position);
    if (device.phase > draft.document.currentPhase) break;
    if (device.state !== 'queued') continue;
    const obstacle = firstObstacle(draft.state, device, draft.facts);
    if (obstacle === undefined) makeOffer(draft, position);
    else if (obstacle.result === 'already') draft.move(position, 'already');
    else if (obstacle.result === 'reject') {
      draft.move(position, 'rejected', { code: 'bundle-quarantined', message: obstacle.detail() });
    } else if (obstacle.result === 'cancel') {
      draft.move(position, 'cancelled', { code: 'device-removed', message: obstacle.detail() });
    } else if (obstacle.rule === 'in-flight') {
      full = true;
      break;
    }
  }
  draft.state = { ...draft.state, scanFrom: position };
  // Everybody behind is looked at again as soon as a place is free.
  if (full) draft.lookAgainAt(position);
}

function makeOffer(draft: RolloutDraft, position: number): void {
  const device = draft.state.devices.at(position);
  const { id, bundle, policy } = draft.document;
  const { bootId: bootIdAtOffer, bundleUuid: from } = draft.facts.device(device.deviceId)?.running ?? {};
  const delta = from === undefined ? undefined : draft.facts.delta(bundle.bundleUuid, from);
  const { deltaSha256: _, ...asBefore } = device;
  draft.put(position, {
    ...asBefore,
    ...(delta === undefined ? {} : { deltaSha256: delta.sha256 }),
    state: 'offered',
    sinceMs: draft.nowMs,
    activeAtMs: draft.nowMs,
    attempts: device.attempts + 1,
    ...(bootIdAtOffer === undefined ? {} : { bootIdAtOffer }),
  });
  const { deviceId } = device;
  const expiresAtMs = draft.nowMs + policy.deadlineSeconds * 1000;
  for (const { sha256 } of delta === undefined ? [bundle] : [bundle, delta]) {
    draft.effects.push({ kind: 'grant', deviceId, sha256 });
  }
  const payload = { rolloutId: id, bundle, ...(delta === undefined ? {} : { delta }), expiresAtMs };
  draft.effects.push({
    kind: 'request',
    deviceId,
    request: { type: 'update.offer', key: id, payload, expiresAtMs },
  });
}

/** True when the next phase has begun: then everything is looked at again. */
function closePhase(draft: RolloutDraft): boolean {
  const { currentPhase, phases } = draft.document;
  const phase = phases[currentPhase];
  const sum = draft.state.tallies[currentPhase];
  if (phase === undefined || sum === undefined) return false;
  const isLast = currentPhase === phases.length - 1;
  const reachable = phase.state === 'passed' ? 0 : queuedConnected(draft, currentPhase);
  const verdict =
    phase.state === 'passed' && !isLast
      ? ({ kind: 'passed' } as const) // an operator resumed past it
      : judgePhase(phase, sum, reachable, isLast, draft.nowMs);
  switch (verdict.kind) {
    case 'running':
      if (phase.state !== 'running') draft.revise({ phases: phases.with(currentPhase, running(phase)) });
      return false;
    case 'soaking':
      if (phase.state !== 'soaking') {
        draft.revise({
          phases: phases.with(currentPhase, { ...phase, state: 'soaking', soakingSinceMs: draft.nowMs }),
        });
      }
      return false;
    case 'failed':
      draft.revise({ phases: phases.with(currentPhase, { ...phase, state: 'failed' }) });
      halt(draft, `phase ${currentPhase + 1}: ${verdict.detail}`);
      return false;
    case 'passed':
      break;
  }
  const passed = phases.with(currentPhase, { ...phase, state: 'passed' });
  if (!isLast) {
    const next = passed[currentPhase + 1]!;
    draft.revise({
      phases: passed.with(currentPhase + 1, { ...next, state: 'running' }),
      currentPhase: currentPhase + 1,
    });
    return true;
  }
  if (sumTallies(draft.state.tallies).queued > 0 || sumTallies(draft.state.tallies).inFlight > 0) return false;
  draft.revise({ phases: passed, state: 'completed', endedAtMs: draft.nowMs });
  return false;
}

function running({ soakingSinceMs: _, ...phase }: RolloutState['document']['phases'][number]) {
  return { ...phase, state: 'running' as const };
}

function queuedConnected(draft: RolloutDraft, phase: number): number {
  const sum = draft.state.tallies[phase];
  // Only asked when nothing else keeps the phase open: it walks over the devices.
  if (sum === undefined || sum.queued === 0 || sum.inFlight > 0) return 0;
  let count = 0;
  for (const device of draft.state.devices) {
    if (device.phase === phase && device.state === 'queued' && draft.facts.connected(device.deviceId)) count += 1;
  }
  return count;
}
