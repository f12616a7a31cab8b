import { nameRollout } from '../../client/contract/rollout-action.ts';
import type { RolloutRequest } from '../../client/contract/rollout.ts';
import type { RolloutStepRow } from '../../client/contract/rollout-recording.ts';
import { agentUpdateUnderWay } from '../registry/agent-update.ts';
import { auditRule } from '../audit/write-audit.ts';
import { isTakenUp } from '../config/config-document.ts';
import type { Effect } from '../effect.ts';
import { digestJson } from '../rollout/digest-json.ts';
import type { OfferFacts } from '../rollout/offer-facts.ts';
import { reduceRollout, type RolloutInput } from '../rollout/reduce-rollout.ts';
import { takesConduct } from '../request/outbox.ts';
import { planRollout } from '../rollout/plan-rollout.ts';
import { deviceOf, type RolloutDocument, type RolloutState } from '../rollout/rollout-state.ts';
import { isInFlight, isOpen, type TargetDevice } from '../rollout/target-device.ts';
import { FactListener } from '../rollout/fact-listener.ts';
import { factKey } from '../rollout/known-fact.ts';
import { journalPlan, journalStep, type JournalPlan } from '../rollout/rollout-journal.ts';
import { isSettled } from '../rollout/view-rollout.ts';
import { isServed, takesRequest, type CoreState } from './core-state.ts';
import { takeEffects } from './take-effect.ts';
import type { Turn } from './turn.ts';

/** Ended rollouts that stay in memory, for `why`. */
const maxSettledRollouts = 32;

/** Stores a new rollout with all its targets, takes these out of others if its policy says so, and starts it. */
export function openRollout(turn: Turn, rollout: RolloutState): void {
  if (rollout.document.policy.supersede === 'replace') takeOver(turn, rollout);
  turn.set(turn.state.rollouts, rollout.document.id, rollout);
  putDocument(turn, rollout);
  writeStep(turn, rollout.document.id, journalPlan(rollout));
  for (const [position, device] of [...rollout.devices].entries()) {
    const member = { parentId: rollout.document.id, position, deviceId: device.deviceId, document: device };
    turn.write({ kind: 'rollout-device', member });
  }
  stepRollout(turn, rollout.document.id, { kind: 'open' });
}

export function stepRollout(turn: Turn, rolloutId: string, input: RolloutInput): void {
  const before = turn.state.rollouts.get(rolloutId);
  if (before === undefined) return;
  if ('deviceId' in input && !before.index.has(input.deviceId)) return;
  const known = turn.state.rolloutFacts.get(rolloutId) ?? new Map<string, unknown>();
  const heard = new FactListener(offerFacts(turn.state, turn.nowMs), before, known);
  const { state, effects } = reduceRollout(before, input, heard.facts, turn.nowMs);
  turn.set(turn.state.rollouts, rolloutId, state);
  keepStep(turn, before, state, input, { heard, known });
  takeEffects(turn, 'rollout-device', effects);
  if (state.document !== before.document) putDocument(turn, state);
  const { state: now, reason, release = nameRollout(state.document) } = state.document;
  const ended = now === 'halted' ? 'rollout.halt' : now === 'aborted' && input.kind !== 'abort' ? 'rollout.abort' : '';
  if (ended !== '' && now !== before.document.state)
    auditRule(turn, 'rollout-gate', { action: ended, subject: rolloutId, detail: { reason, release } });
  for (const effect of effects) {
    if (effect.kind === 'member' && !isOpen((effect.member.document as TargetDevice).state))
      letOthersGoOn(turn, rolloutId, effect.member.deviceId);
  }
  if (isOver(state.document) && !isOver(before.document)) turn.effects.push({ kind: 'end-steps', rolloutId });
  if (isSettled(state.document) && !isSettled(before.document)) forgetOldest(turn);
}

function isOver({ state, action }: RolloutDocument): boolean {
  return action !== undefined && (state === 'aborted' || state === 'completed');
}

/** Rollouts that wait for their turn with this device. */
function letOthersGoOn(turn: Turn, endedId: string, deviceId: string): void {
  for (const [id, rollout] of turn.state.rollouts) {
    if (id !== endedId && deviceOf(rollout, deviceId)?.state === 'queued')
      stepRollout(turn, id, { kind: 'presence', deviceId });
  }
}

function takeOver(turn: Turn, { document: { id }, devices }: RolloutState): void {
  for (const [otherId, other] of turn.state.rollouts) {
    const deviceIds = [...devices]
      .map(({ deviceId }) => deviceId)
      .filter((deviceId) => isOpen(deviceOf(other, deviceId)?.state ?? 'cancelled'));
    if (deviceIds.length > 0) stepRollout(turn, otherId, { kind: 'supersede', deviceIds, by: id });
  }
}

/** Brings the named release to the devices of a rollout that has ended badly; those that it still has come after. */
export function rollBack(turn: Turn, { rolloutId, release: name, deviceIds, reason }: RollBack): void {
  const { state, nowMs } = turn;
  const failed = state.rollouts.get(rolloutId)?.document;
  const target = state.releases.get(name) ?? state.releases.get(`${name}/stable`);
  const known = deviceIds.filter((deviceId) => state.devices.has(deviceId));
  if (failed === undefined || known.length === 0) return;
  const note = { action: 'rollout.roll-back', subject: rolloutId, devices: known };
  if (target === undefined) {
    return auditRule(turn, 'rollout-gate', { ...note, detail: { release: name, refused: 'there is no such release' } });
  }
  const id = `${rolloutId}-back`;
  auditRule(turn, 'rollout-gate', { ...note, detail: { release: target.release.id, rollout: id, reason } });
  const { policy, timers } = failed;
  const request: RolloutRequest = {
    release: target.release.id,
    selector: failed.selector,
    phases: [{ size: 'rest' }],
    // It must reach everybody that it can: no failure stops it.
    maxFailures: known.length + 1,
    minSample: known.length + 1,
    maxInFlight: policy.maxInFlight,
    deadlineSeconds: policy.deadlineSeconds,
    supersede: 'queue',
    priority: 1000,
  };
  const rollout = planRollout(request, known, {
    id,
    release: target.release.id,
    bundle: target.offer,
    startedBy: failed.startedBy,
    timers,
    nowMs,
    connected: (deviceId) => isServed(state, deviceId),
    heldBy: () => undefined,
    select: () => new Set(known),
    facts: (deviceId) => state.devices.get(deviceId)!,
  });
  openRollout(turn, rollout);
}

type RollBack = Extract<Effect, { kind: 'roll-back' }>;

function keepStep(
  turn: Turn,
  before: RolloutState,
  after: RolloutState,
  input: RolloutInput,
  { heard, known }: { heard: FactListener; known: Map<string, unknown> },
): void {
  const { id } = after.document;
  const { rolloutFacts } = turn.state;
  const step = journalStep(before, after, input, { heard, nowMs: turn.nowMs });
  if (step === undefined) return;
  writeStep(turn, id, step);
  if (isSettled(after.document)) return turn.delete(rolloutFacts, id);
  if (!rolloutFacts.has(id)) turn.set(rolloutFacts, id, known);
  for (const fact of step.facts ?? []) turn.set(known, factKey(fact), fact[2]);
}

function writeStep(turn: Turn, rolloutId: string, step: RolloutStepRow | JournalPlan): void {
  turn.write({ kind: 'rollout-step', step: { rolloutId, step } });
}

/** What the registry and the presence say, for the rules of a rollout. */
export function offerFacts(state: CoreState, nowMs: number): OfferFacts {
  return {
    connected: (deviceId) => isServed(state, deviceId),
    sinceMs(deviceId, atLeastMs) {
      const live = state.live.get(deviceId);
      // Nobody was connected before this process started, whatever the last one wrote.
      const sinceMs = live?.connectedAtMs ?? Math.max(state.devices.get(deviceId)?.sinceMs ?? 0, state.startedAtMs);
      return Math.max(sinceMs, atLeastMs);
    },
    state: (deviceId) => state.devices.get(deviceId)?.state,
    tag: (deviceId, name) => state.devices.get(deviceId)?.tags[name],
    hasReverted: (deviceId, bundleUuid) =>
      state.devices.get(deviceId)?.quarantinedBundles.includes(bundleUuid) === true,
    running: (deviceId) => state.devices.get(deviceId)?.running,
    delta(bundleUuid, fromUuid) {
      for (const { release, deltas = [] } of state.releases.values()) {
        if (release.bundleUuid !== bundleUuid) continue;
        const made = deltas.find((delta) => delta.fromUuid === fromUuid);
        if (made !== undefined && 'offer' in made) return made.offer;
      }
      return undefined;
    },
    takesConduct(deviceId) {
      const device = state.devices.get(deviceId);
      return device !== undefined && takesConduct(device);
    },
    holder: (deviceId) => holderOf(state, deviceId),
    takes: (deviceId, type) => takesRequest(state, deviceId, type),
    certificate(deviceId) {
      const { serial, connectedAtMs } = state.live.get(deviceId) ?? {};
      const certificate = serial === undefined ? undefined : state.certificates.get(serial);
      if (certificate === undefined || connectedAtMs === undefined) return undefined;
      return { serial: certificate.serial, issuedAtMs: certificate.issuedAtMs, connectedAtMs };
    },
    hasAgent(deviceId, bundleUuid) {
      const { agentUpdate, agentVersion } = state.devices.get(deviceId) ?? {};
      const isIt = agentUpdate?.state === 'committed' && agentUpdate.bundleUuid === bundleUuid;
      return isIt && agentUpdate.version === agentVersion;
    },
    agentUpdate: (deviceId) => agentUpdateUnderWay(state.devices.get(deviceId)?.agentUpdate, nowMs)?.updateId,
    config(deviceId, name) {
      const config = state.configs.get(deviceId)?.get(name);
      if (config?.desired === undefined) return undefined;
      const { given, version } = config.desired;
      return { sha256: digestJson(given), takenUp: isTakenUp(config), version };
    },
  };
}

/** Whose turn it is: who updates it now, else the highest priority, else the oldest. */
function holderOf(state: CoreState, deviceId: string): string | undefined {
  let first: RolloutDocument | undefined;
  for (const rollout of state.rollouts.values()) {
    const device = deviceOf(rollout, deviceId);
    if (device === undefined || !isOpen(device.state)) continue;
    const { document } = rollout;
    if (isInFlight(device.state)) return document.id;
    if (first === undefined || comesBefore(document, first)) first = document;
  }
  return first?.id;
}

function comesBefore(a: RolloutDocument, b: RolloutDocument): boolean {
  const more = (a.policy.priority ?? 0) - (b.policy.priority ?? 0);
  return more === 0 ? a.startedAtMs < b.startedAtMs : more > 0;
}

/** The rollout that has not finished with this device. */
export function heldBy(state: CoreState, deviceId: string): string | undefined {
  for (const rollout of state.rollouts.values()) {
    const device = deviceOf(rollout, deviceId);
    if (device !== undefined && isOpen(device.state)) return rollout.document.id;
  }
  return undefined;
}

/** Blobs that the device needs now. */
export function neededBlobs(state: CoreState, deviceId: string): string[] {
  return [...state.rollouts.values()].flatMap((rollout) => {
    const device = deviceOf(rollout, deviceId);
    if (device === undefined || !isInFlight(device.state)) return [];
    const { bundle } = rollout.document;
    if (bundle === undefined) return [];
    const { sha256 } = bundle;
    return device.deltaSha256 === undefined ? [sha256] : [sha256, device.deltaSha256];
  });
}

function putDocument(turn: Turn, { document }: RolloutState): void {
  const { id, startedAtMs } = document;
  turn.write({ kind: 'rollout', rollout: { id, active: !isSettled(document), startedAtMs, document } });
  turn.notify({ kind: 'rollout', document });
}

function forgetOldest(turn: Turn): void {
  const settled = [...turn.state.rollouts.values()].filter(({ document }) => isSettled(document));
  for (const { document } of settled.slice(0, Math.max(0, settled.length - maxSettledRollouts))) {
    turn.delete(turn.state.rollouts, document.id);
  }
}
