/**
 * The rules that a device passes before it is offered a release, in order. `reduce-rollout` offers by them and `why`
 * prints them: one code for both.
 */
import type { DeltaOffer } from '../../protocol/request.ts';
import { type RolloutState } from './rollout-state.ts';
import { isOpen, type TargetDevice } from './target-device.ts';
import { sumTallies } from './tally.ts';

export interface OfferFacts {
  connected(deviceId: string): boolean;
  /** What the registry holds; undefined when the device was removed. */
  device(deviceId: string):
    | {
        state: string;
        running?: { bootId: string; slot?: string; bundleUuid?: string };
        quarantinedBundles: readonly string[];
        /** Of the last connect or disconnect. */
        sinceMs?: number;
      }
    | undefined;
  /** What brings a device from one bundle to another with less to fetch, if it was made. */
  delta(bundleUuid: string, fromUuid: string): DeltaOffer | undefined;
}

export type RuleResult = 'ok' | 'waits' | 'already' | 'reject' | 'cancel';

export interface OfferRule {
  rule: string;
  result: RuleResult;
  /** For a person, with the numbers. */
  detail: () => string;
}

/** Every rule for a target that has not been offered yet. The first that is not `ok` decides. */
export function* offerRules(state: RolloutState, target: TargetDevice, facts: OfferFacts): Generator<OfferRule> {
  const { document } = state;
  const { bundle, policy } = document;
  yield rule('rollout', document.state === 'running' ? 'ok' : 'waits', () =>
    document.reason === undefined
      ? `${document.id} is ${document.state}`
      : `${document.id} is ${document.state}: ${document.reason}`,
  );
  const device = facts.device(target.deviceId);
  yield rule('registered', device === undefined ? 'cancel' : 'ok', () =>
    device === undefined ? 'the device was removed from the fleet' : `the device is ${device.state}`,
  );
  if (device === undefined) return;
  const reverted = device.quarantinedBundles.includes(bundle.bundleUuid);
  yield rule('quarantine', reverted ? 'reject' : 'ok', () =>
    reverted
      ? `the device has reverted bundle ${bundle.bundleUuid} before; flotilla device allow-bundle ${target.deviceId} ${bundle.bundleUuid} lets it try again`
      : `never reverted bundle ${bundle.bundleUuid}`,
  );
  yield rule('phase', target.phase <= document.currentPhase ? 'ok' : 'waits', () => {
    const phase = document.phases[document.currentPhase];
    return `in phase ${target.phase + 1} of ${document.phases.length}; phase ${document.currentPhase + 1} is ${phase?.state ?? 'over'}`;
  });
  const connected = facts.connected(target.deviceId);
  yield rule('connected', connected ? 'ok' : 'waits', () => (connected ? 'connected' : 'not connected'));
  const runs = device.running?.bundleUuid;
  yield rule('running', runs === bundle.bundleUuid ? 'already' : 'ok', () =>
    runs === bundle.bundleUuid ? `already runs ${bundle.bundleUuid}` : `runs ${runs ?? 'an unknown bundle'}`,
  );
  const delta = runs === undefined ? undefined : facts.delta(bundle.bundleUuid, runs);
  yield rule('delta', 'ok', () =>
    delta === undefined
      ? `no delta for what it runs: the whole ${bundle.sizeBytes} bytes are offered`
      : `a delta of ${delta.sizeBytes} instead of ${bundle.sizeBytes} bytes`,
  );
  const { inFlight } = sumTallies(state.tallies);
  yield rule(
    'in-flight',
    inFlight < policy.maxInFlight ? 'ok' : 'waits',
    () => `${inFlight} of at most ${policy.maxInFlight} are being updated`,
  );
}

/** The first rule that is not `ok`, or undefined: then the device is to be offered the release now. */
export function firstObstacle(state: RolloutState, target: TargetDevice, facts: OfferFacts): OfferRule | undefined {
  if (!isOpen(target.state)) return undefined;
  for (const each of offerRules(state, target, facts)) if (each.result !== 'ok') return each;
  return undefined;
}

function rule(name: string, result: RuleResult, detail: () => string): OfferRule {
  return { rule: name, result, detail };
}
