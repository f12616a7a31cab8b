import type { Rollout } from '../../client/contract/rollout.ts';
import type { RolloutMilestone } from '../../client/contract/rollout-report.ts';
import type { BundleOffer } from '../../protocol/request.ts';
import { PersistentList } from '../persistent-list.ts';
import { tallyPhases, type Tally } from './tally.ts';
import type { TargetDevice } from './target-device.ts';

export type Policy = Rollout['policy'];

export interface PhaseState {
  size: number;
  soakSeconds: number;
  state: Rollout['phases'][number]['state'];
  /** Since when all its devices have ended. */
  soakingSinceMs?: number;
}

/** What a rollout is, apart from its devices. Stored as one document. */
export interface RolloutDocument {
  id: string;
  release: string;
  selector: string;
  bundle: BundleOffer;
  state: Rollout['state'];
  reason?: string;
  startedAtMs: number;
  startedBy: string;
  endedAtMs?: number;
  revision: number;
  currentPhase: number;
  phases: PhaseState[];
  policy: Policy;
  timers: TimerPolicy;
  counts: Record<string, number>;
  /** Failures and ended devices that an operator accepted by resuming: the gates count from there. */
  forgiven: { failures: number; ended: number };
  /** Absent in rollouts of a coordinator that did not keep it. */
  history?: readonly RolloutMilestone[];
}

/** Seconds of silence in a state. The first three are for connected devices; the others count in any case. */
export interface TimerPolicy {
  offered: number;
  downloading: number;
  verified: number;
  installing: number;
  rebooting: number;
  testing: number;
}

export interface RolloutState {
  document: RolloutDocument;
  devices: PersistentList<TargetDevice>;
  index: ReadonlyMap<string, number>;
  /** Of each phase; follows from `devices`. */
  tallies: readonly Tally[];
  /** No queued device that is connected stands before this position. */
  scanFrom: number;
}

export function createRolloutState(document: RolloutDocument, devices: readonly TargetDevice[]): RolloutState {
  return {
    document,
    devices: PersistentList.from(devices),
    index: new Map(devices.map(({ deviceId }, position) => [deviceId, position])),
    tallies: tallyPhases(devices, document.phases.length),
    scanFrom: 0,
  };
}

export function deviceOf(state: RolloutState, deviceId: string): TargetDevice | undefined {
  const position = state.index.get(deviceId);
  return position === undefined ? undefined : state.devices.at(position);
}
