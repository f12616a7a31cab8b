/**
 * One rollout. Pure: `(rollout, input, now) → (rollout, effects)`; an input that makes no sense in the present state
 * returns the same state and no effects.
 *
 *   rollout: running ⇄ paused; running → halted → running (an operator resumes); any of them → aborted; → completed
 *   phase:   waiting → running ⇄ soaking → approval → passed;   running, soaking → failed
 *   device:  waiting → queued → offered → downloading → verified → installing → rebooting → testing
 *            → committed | rolled-back | failed | timed-out | rejected | cancelled;   queued → already
 *            where no bundle is brought: offered → running → committed | failed | timed-out | unknown | …
 *            failed, timed-out → queued while its retries last
 *
 * A device ends exactly once. What it tells afterwards is kept with its row and changes no count.
 */
import type { OnFailure } from '../../client/contract/rollout-policy.ts';
import type { Reduced } from '../effect.ts';
import type { UpdateEvent } from '../../protocol/event.ts';
import { actionOf } from './action-of.ts';
import { applyStep } from './apply-step.ts';
import { applyUpdate } from './apply-update.ts';
import { haltReason, judgePhase } from './gate.ts';
import { join, type Joining } from './join.ts';
import { healthProblem } from './judge-health.ts';
import { offer } from './make-offer.ts';
import type { OfferFacts } from './offer-facts.ts';
import { failTarget } from './retry.ts';
import { RolloutDraft } from './rollout-draft.ts';
import { deadlineOf } from './rollout-timer.ts';
import { type PhaseState, type RolloutState } from './rollout-state.ts';
import type { StepReport } from './step-report.ts';
import { isInFlight, isOpen } from './target-device.ts';
import { sumTallies } from './tally.ts';

export type RolloutInput =
  /** Just stored: do what is due. Loaded: nobody is connected to a process that has just begun. */
  | { kind: 'open'; loaded?: true }
  | { kind: 'update'; deviceId: string; event: UpdateEvent }
  /** What has become of an action that is no update. */
  | { kind: 'step'; deviceId: string; report: StepReport }
  /** It connected, disconnected, booted or was tagged, or another rollout has let it go: it may be offered now. */
  | { kind: 'presence'; deviceId: string }
  | { kind: 'removed'; deviceId: string }
  | { kind: 'pause'; reason: string }
  | { kind: 'resume' }
  /** The phase that waits for it. */
  | { kind: 'approve'; by: string }
  | { kind: 'abort'; reason: string; action?: OnFailure }
  /** They match a continuous rollout now. */
  | { kind: 'join'; devices: readonly Joining[] }
  /** Another rollout takes these over. */
  | { kind: 'supersede'; deviceIds: readonly string[]; by: string }
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
      for (let position = 0; position < draft.state.devices.length; position += 1) draft.look(position);
      if (input.loaded === true) draft.state = { ...draft.state, loadedAtMs: draft.nowMs };
      // In the order of a process that begins, whatever this one has looked at already.
      return draft.lookAgainAtAll();
    case 'update':
      return applyUpdate(draft, input.deviceId, input.event);
    case 'step':
      return applyStep(draft, input.deviceId, input.report);
    case 'presence':
      return onDevice(draft, input.deviceId, (position) => {
        draft.look(position);
        observe(draft, position);
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
    case 'approve':
      return approve(draft, input.by);
    case 'abort':
      return abort(draft, input.reason, input.action ?? 'cancel-all');
    case 'join':
      return join(draft, input.devices);
    case 'supersede':
      return supersede(draft, input.deviceIds, input.by);
    case 'tick':
      return endSilent(draft);
  }
}

/** How long devices have to come back to a coordinator that has begun anew: nobody counts as away before. */
const gatherMs = 60_000;

function onDevice(draft: RolloutDraft, deviceId: string, act: (position: number) => void): void {
  const position = draft.state.index.get(deviceId);
  if (position !== undefined) act(position);
}

/** What shows in the coordinator's own books is the word that counts. */
function observe(draft: RolloutDraft, position: number): void {
  const { document, facts, nowMs } = draft;
  const target = draft.state.devices.at(position);
  if (!isInFlight(target.state)) return;
  const report = actionOf(document).observe({ document, target, facts, nowMs });
  if (report !== undefined) applyStep(draft, target.deviceId, report);
}

/** From a pause the gates are judged as they stand; a halt is lifted by accepting the failures so far. */
function resume(draft: RolloutDraft): void {
  const { state, forgiven } = draft.document;
  if (state !== 'paused' && state !== 'halted') return;
  const { tallies } = draft.state;
  const { failures, ended } = sumTallies(tallies);
  const { reason: _, ...document } = draft.document;
  const phases = document.phases.map((phase, number): PhaseState => {
    const passed = phase.state === 'failed' ? { ...phase, state: 'passed' as const } : phase;
    if (state === 'paused' || phase.gate?.failure === undefined) return passed;
    const sum = tallies[number]!;
    return { ...passed, forgiven: { failures: sum.failures, ended: sum.ended } };
  });
  draft.state = { ...draft.state, document, dueAtMs: 0 };
  draft.lookAgainAtAll();
  draft.revise({ state: 'running', phases, forgiven: state === 'halted' ? { failures, ended } : forgiven });
}

function approve(draft: RolloutDraft, by: string): void {
  const { state, phases, currentPhase } = draft.document;
  const phase = phases[currentPhase];
  if (phase?.state !== 'approval' || state === 'aborted' || state === 'completed') return;
  draft.revise({ phases: phases.with(currentPhase, { ...phase, approvedBy: by }) });
}

function abort(draft: RolloutDraft, reason: string, action: OnFailure): void {
  const { state, id } = draft.document;
  if (state === 'aborted' || state === 'completed' || action === 'pause') return;
  draft.revise({ state: 'aborted', reason, endedAtMs: draft.nowMs });
  const offered: string[] = [];
  for (const [position, device] of [...draft.state.devices].entries()) {
    if (device.attempts > 0) offered.push(device.deviceId);
    if (device.state === 'waiting' || device.state === 'queued') {
      draft.move(position, 'cancelled', { code: 'rollout-aborted', message: reason });
    } else if (isInFlight(device.state) && action !== 'cancel-queued') draft.requestCancel(position, reason);
  }
  if (typeof action === 'string' || offered.length === 0) return;
  draft.effects.push({ kind: 'roll-back', rolloutId: id, release: action.rollbackTo, deviceIds: offered, reason });
}

/** Too many have failed, or a gate can't be passed: what the policy says happens. */
function halt(draft: RolloutDraft, reason: string): void {
  const action = draft.document.policy.onFailure ?? 'pause';
  if (action !== 'pause') return abort(draft, reason, action);
  draft.revise({ state: 'halted', reason });
  for (const [position, device] of [...draft.state.devices].entries()) {
    if (device.state === 'offered') draft.requestCancel(position, reason);
  }
}

/** Those that have not begun are let go; what has begun ends first. */
function supersede(draft: RolloutDraft, deviceIds: readonly string[], by: string): void {
  const message = `${by} has taken it over`;
  for (const deviceId of deviceIds) {
    onDevice(draft, deviceId, (position) => {
      const { state } = draft.state.devices.at(position);
      if (state === 'waiting' || state === 'queued') draft.move(position, 'cancelled', { code: 'superseded', message });
      else if (isInFlight(state)) draft.requestCancel(position, message);
    });
  }
}

/** Timers run whatever the rollout's state is: a device that was being updated must come to an end. */
function endSilent(draft: RolloutDraft): void {
  // They stay in the box until they are offered: a limit, or a clock that is set back, may still hold them.
  for (const [position, untilMs] of draft.state.boxed) if (untilMs <= draft.nowMs) draft.lookAgainAt(position);
  if (draft.nowMs < draft.state.dueAtMs) return;
  // Each device that still waits arms its own timer again.
  draft.state = { ...draft.state, dueAtMs: Infinity };
  for (let position = 0; position < draft.state.devices.length; position += 1) {
    const device = draft.state.devices.at(position);
    if (!isOpen(device.state)) continue;
    const deadline = deadlineOf(draft.document, device, draft.presenceOf(device));
    if (deadline === undefined) continue;
    if (draft.nowMs < deadline.atMs) draft.armTimer(device);
    else endLate(draft, position, deadline.reason);
  }
}

function endLate(draft: RolloutDraft, position: number, message: string): void {
  const device = draft.state.devices.at(position);
  const reason = { code: `timed-out-${device.state}`, message };
  // What has not begun to write can be taken back, and tried again.
  const isEarly = device.state === 'offered' || device.state === 'downloading' || device.state === 'verified';
  if (isEarly) {
    const { wait: _, ...rest } = device;
    const ended = { ...rest, sinceMs: draft.nowMs, activeAtMs: draft.nowMs };
    failTarget(draft, position, ended, { state: 'timed-out', reason });
  } else draft.move(position, 'timed-out', reason);
  if (device.state !== 'queued') draft.requestCancel(position, message);
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
    draft.lookFrom(position);
  }
}

/** True when the next phase has begun: then everything is looked at again. */
function closePhase(draft: RolloutDraft): boolean {
  const { currentPhase, phases } = draft.document;
  const phase = phases[currentPhase];
  const sum = draft.state.tallies[currentPhase];
  if (phase === undefined || sum === undefined) return false;
  if (draft.nowMs < draft.state.loadedAtMs + gatherMs && sum.queued > 0) return false;
  const isLast = currentPhase === phases.length - 1;
  const verdict =
    phase.state === 'passed' && (!isLast || sum.waiting + sum.queued + sum.inFlight === 0)
      ? ({ kind: 'passed' } as const) // an operator resumed past it
      : judgePhase(phase, sum, draft.state.reachable[currentPhase] ?? 0, isLast, draft.nowMs);
  switch (verdict.kind) {
    case 'running':
      if (phase.state !== 'running') draft.revise({ phases: phases.with(currentPhase, running(phase)) });
      return false;
    case 'soaking':
    case 'approval': {
      if (verdict.kind === 'approval' && isSick(draft, currentPhase)) return false;
      if (phase.state === verdict.kind) return false;
      const soakingSinceMs = phase.soakingSinceMs ?? draft.nowMs;
      const { phases: judged } = draft.document;
      const soaking = { ...judged[currentPhase]!, state: verdict.kind, soakingSinceMs };
      draft.revise({ phases: judged.with(currentPhase, soaking) });
      return false;
    }
    case 'failed':
      draft.revise({ phases: phases.with(currentPhase, { ...phase, state: 'failed' }) });
      halt(draft, `phase ${currentPhase + 1}: ${verdict.detail}`);
      return false;
    case 'passed':
      if (isSick(draft, currentPhase)) return false;
      if (isLast && draft.document.policy.continuous === true) return false;
  }
  const { phases: judged } = draft.document;
  const passed = judged.with(currentPhase, { ...judged[currentPhase]!, state: 'passed' });
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

/** Judged once, when all else is passed; true when the rollout has stopped for it. */
function isSick(draft: RolloutDraft, number: number): boolean {
  const phase = draft.document.phases[number]!;
  if (phase.healthy === true || phase.state === 'passed') return false;
  const problem = healthProblem(draft.state, number, draft.nowMs);
  const { phases } = draft.document;
  if (problem === undefined) {
    if (phase.gate?.connected === undefined && phase.gate?.lostConnections === undefined) return false;
    draft.state = {
      ...draft.state,
      document: { ...draft.document, phases: phases.with(number, { ...phase, healthy: true }) },
    };
    return false;
  }
  draft.revise({ phases: phases.with(number, { ...phase, state: 'failed' }) });
  halt(draft, `phase ${number + 1}: ${problem}`);
  return true;
}

function running({ soakingSinceMs: _, ...phase }: PhaseState): PhaseState {
  return { ...phase, state: 'running' as const };
}
