import type { RolloutRecordingRow } from '../../client/contract/rollout-recording.ts';
import { auditRule } from '../audit/write-audit.ts';
import type { OfferFacts } from '../rollout/offer-rule.ts';
import { reduceRollout, type RolloutInput } from '../rollout/reduce-rollout.ts';
import { journalStep, planRow } from '../rollout/rollout-journal.ts';
import { deviceOf, type RolloutState } from '../rollout/rollout-state.ts';
import { isInFlight, isOpen } from '../rollout/target-device.ts';
import { isSettled } from '../rollout/view-rollout.ts';
import { isServed, type CoreState } from './core-state.ts';
import { takeEffects } from './take-effect.ts';
import type { Turn } from './turn.ts';

/** Ended rollouts that stay in memory, for `why`. */
const maxSettledRollouts = 32;

/** Stores a new rollout with all its targets and starts it. */
export function openRollout(turn: Turn, rollout: RolloutState): void {
  turn.set(turn.state.rollouts, rollout.document.id, rollout);
  putDocument(turn, rollout);
  writeStep(turn, rollout.document.id, planRow(rollout));
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
  const facts = offerFacts(turn.state);
  const { state, effects } = reduceRollout(before, input, facts, turn.nowMs);
  turn.set(turn.state.rollouts, rolloutId, state);
  keepStep(turn, before, state, input, facts);
  takeEffects(turn, 'rollout-device', effects);
  if (state.document !== before.document) putDocument(turn, state);
  if (state.document.state === 'halted' && before.document.state !== 'halted') {
    const { reason, release } = state.document;
    auditRule(turn, 'rollout-gate', { action: 'rollout.halt', subject: rolloutId, detail: { reason, release } });
  }
  if (isSettled(state.document) && !isSettled(before.document)) forgetOldest(turn);
}

function keepStep(turn: Turn, before: RolloutState, after: RolloutState, input: RolloutInput, facts: OfferFacts): void {
  const { id } = after.document;
  const { rolloutFacts } = turn.state;
  const known = rolloutFacts.get(id) ?? new Map<string, string>();
  const step = journalStep(before, after, input, { facts, known, nowMs: turn.nowMs });
  if (step === undefined) return;
  writeStep(turn, id, step);
  if (isSettled(after.document)) return turn.delete(rolloutFacts, id);
  if (!rolloutFacts.has(id)) turn.set(rolloutFacts, id, known);
  for (const [question, answer] of step.facts ?? []) turn.set(known, question, answer);
}

function writeStep(turn: Turn, rolloutId: string, step: RolloutRecordingRow): void {
  turn.write({ kind: 'rollout-step', step: { rolloutId, step } });
}

/** What the registry and the presence say, for the rules of a rollout. */
export function offerFacts(state: CoreState): OfferFacts {
  return {
    connected: (deviceId) => isServed(state, deviceId),
    device(deviceId) {
      const device = state.devices.get(deviceId);
      if (device === undefined) return undefined;
      const live = state.live.get(deviceId);
      // Nobody was connected before this process started, whatever the last one wrote.
      const sinceMs = live?.connectedAtMs ?? Math.max(device.sinceMs ?? 0, state.startedAtMs);
      const { running, quarantinedBundles } = device;
      return { state: device.state, quarantinedBundles, sinceMs, ...(running === undefined ? {} : { running }) };
    },
    delta(bundleUuid, fromUuid) {
      for (const { release, deltas = [] } of state.releases.values()) {
        if (release.bundleUuid !== bundleUuid) continue;
        const made = deltas.find((delta) => delta.fromUuid === fromUuid);
        if (made !== undefined && 'offer' in made) return made.offer;
      }
      return undefined;
    },
  };
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
    const { sha256 } = rollout.document.bundle;
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
