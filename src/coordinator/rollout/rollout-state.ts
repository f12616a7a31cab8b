import type { Rollout } from '../../client/contract/rollout.ts';
import type { RolloutAction } from '../../client/contract/rollout-action.ts';
import type { RolloutMilestone } from '../../client/contract/rollout-report.ts';
import type { BundleOffer } from '../../protocol/request.ts';
import { PersistentList } from '../persistent-list.ts';
import { createQueues, groupOf, type OfferQueues } from './offer-queue.ts';
import type { WindowVerdict } from './offer-window.ts';
import type { OfferCount } from './rate.ts';
import { isInFlight, type TargetDevice } from './target-device.ts';
import { tallyPhases, type Tally } from './tally.ts';

export type Policy = Rollout['policy'];
type ShownPhase = Rollout['phases'][number];

export interface PhaseState extends Omit<ShownPhase, 'soakSeconds'> {
  soakSeconds: number;
  /** Since when all its devices have ended. */
  soakingSinceMs?: number;
  /** Failures and ended devices of it that an operator accepted by resuming. */
  forgiven?: Forgiven;
  /** Its devices hold their connections, or an operator has resumed past that. */
  healthy?: true;
}

export interface Forgiven {
  failures: number;
  ended: number;
}

/** What a rollout is, apart from its devices. Stored as one document. */
export interface RolloutDocument {
  id: string;
  /** What it brings; or else what it does, and how. */
  release?: string;
  bundle?: BundleOffer;
  action?: RolloutAction;
  terms?: StepTerms;
  selector: string;
  /** Of the plan that it was begun by. */
  planDigest?: string;
  state: Rollout['state'];
  reason?: string;
  startedAtMs: number;
  startedBy: string;
  endedAtMs?: number;
  revision: number;
  currentPhase: number;
  phases: PhaseState[];
  policy: Policy;
  /** A state without a timer is one that the action itself ends. */
  timers: Partial<TimerPolicy>;
  counts: Record<string, number>;
  /** Failures and ended devices that an operator accepted by resuming: the gates count from there. */
  forgiven: Forgiven;
  /** Offers of the last minute, where the policy limits them. */
  recentOffers?: OfferCount[];
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
  /** Of an action that brings no bundle. */
  running?: number;
}

/** How an action is carried out on each device. */
export interface StepTerms {
  timeoutSeconds: number;
  /** Where each result goes. */
  returners?: readonly string[];
  /** Of the document of settings, whatever the order of its keys. */
  documentSha256?: string;
  /** The agent that is brought. */
  program?: { release: string; bundle: BundleOffer };
}

/** The document and the devices are stored; everything else follows from them and from who is connected. */
export interface RolloutState {
  document: RolloutDocument;
  devices: PersistentList<TargetDevice>;
  index: ReadonlyMap<string, number>;
  /** Of each phase. */
  tallies: readonly Tally[];
  queues: OfferQueues;
  /** Of each queue: nobody that may be offered stands before this position, but for those of `again`. */
  lookFrom: readonly number[];
  /** Positions of devices that came back, a few: they are looked at alone. */
  again: readonly number[];
  /** Devices in flight, of each group. */
  inFlight: readonly number[];
  /** Who is connected, by position. */
  online: PersistentList<boolean>;
  /** Of each phase: queued devices that are connected. */
  reachable: readonly number[];
  /** Devices in the penalty box, and until when. */
  boxed: ReadonlyMap<number, number>;
  /** Since when it is in a process that has loaded it: nobody was connected to that before. */
  loadedAtMs: number;
  /** Before this time no timer ends a device. */
  dueAtMs: number;
  /** What was found of the offer windows, by zone. */
  windows: ReadonlyMap<string, WindowVerdict>;
}

export function createRolloutState(document: RolloutDocument, devices: readonly TargetDevice[]): RolloutState {
  const queues = createQueues(devices);
  const inFlight = Array.from({ length: queues.groups.size }, () => 0);
  for (const device of devices) if (isInFlight(device.state)) inFlight[groupOf(queues, device)]! += 1;
  return {
    document,
    devices: PersistentList.from(devices),
    index: new Map(devices.map(({ deviceId }, position) => [deviceId, position])),
    tallies: tallyPhases(devices, document.phases.length),
    queues,
    lookFrom: queues.queues.map(() => 0),
    again: [],
    inFlight,
    online: PersistentList.from(devices.map(() => false)),
    reachable: document.phases.map(() => 0),
    boxed: new Map(
      devices.flatMap(({ state, notBeforeMs }, position) =>
        state === 'queued' && notBeforeMs !== undefined ? [[position, notBeforeMs]] : [],
      ),
    ),
    loadedAtMs: -Infinity,
    dueAtMs: 0,
    windows: new Map(),
  };
}

export function deviceOf(state: RolloutState, deviceId: string): TargetDevice | undefined {
  const position = state.index.get(deviceId);
  return position === undefined ? undefined : state.devices.at(position);
}
