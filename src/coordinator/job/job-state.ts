import type { Hold } from '../../client/contract/job.ts';
import type { JobAction } from '../../client/contract/job-action.ts';
import type { JobEvent, JobOutcome } from '../../protocol/event.ts';
import { PersistentList } from '../persistent-list.ts';

/** One device of a job. Output is not held in memory: it goes to the store and to those who follow. */
export interface JobDevice {
  deviceId: string;
  /** `holding`: its action has ended, and the device will take it back by itself. */
  state: 'waiting' | 'queued' | 'delivered' | 'started' | 'holding' | 'finished';
  /** When it entered the state, by the coordinator's clock. */
  atMs: number;
  /** When the request left on the connection that lives now; absent while the device is away. */
  sentAtMs?: number;
  /** It left at least once: from then on only the device knows. */
  wasSent?: boolean;
  /** Its place in the ramp. */
  startAtMs?: number;
  /** Its own end of waiting, where a rollout has let it begin. */
  expiresAtMs?: number;
  /** While it is held, of the first action. */
  outcome?: JobOutcome;
  exitCode?: number;
  file?: NonNullable<JobEvent['file']>;
  signal?: string;
  truncatedBytes?: number;
  reason?: string;
  startedAtMs?: number;
  finishedAtMs?: number;
  /** When it last told that it runs, by the coordinator's clock. */
  heardAtMs?: number;
  /** Since when its link is lost, while it runs or is held. */
  lostAtMs?: number;
  /** When the restoring action is due, by the device's clock. */
  returnsAtMs?: number;
  /** What became of the restoring action, without its outputs. */
  restore?: NonNullable<JobEvent['restore']>;
  /** The device told its own outcome after the coordinator had stopped waiting. */
  late?: boolean;
}

/** What a job is, apart from its devices. Stored as one document. */
export interface JobDocument {
  id: string;
  selector: string;
  action: JobAction;
  hold?: Hold;
  rampSeconds?: number;
  /** Somebody has asked for what its actions write, while they do. */
  follow?: true;
  timeoutSeconds: number;
  maxOutputBytes: number;
  submittedBy: string;
  submittedAtMs: number;
  expiresAtMs: number;
  /** Devices that may work at the same time; 0 = no limit. */
  window: number;
  /** Stop starting devices after so many that did not succeed; 0 = no limit. */
  maxFailures: number;
  state: 'running' | 'finished';
  finishedAtMs?: number;
  /** Why no further device is started. */
  stopped?: string;
  /** The job of whose devices these are some. */
  retryOf?: string;
  /** The schedule that has started it. */
  schedule?: string;
  /** Its devices begin one by one, as the n-th try of this rollout; `open`: more may come. */
  rollout?: { id: string; attempt: number; open?: true };
  /** Where each result goes, by the names of coordinator.yaml. */
  returners?: string[];
  matched: number;
  /** Finished devices by outcome, unfinished ones by state. */
  counts: Record<string, number>;
}

export interface JobState {
  document: JobDocument;
  devices: PersistentList<JobDevice>;
  /** Position of each device. */
  index: ReadonlyMap<string, number>;
  /** No waiting device that is connected stands before this position. */
  scanFrom: number;
  /** The next ones start in a turn of their own, which is on its way. */
  moreToCome: boolean;
  /** With a window: the devices that were started and have not finished. */
  working: ReadonlySet<string>;
  /** Before this time no timer ends a device. */
  dueAtMs: number;
}

export function createJobState(document: JobDocument, devices: readonly JobDevice[]): JobState {
  return {
    document,
    devices: PersistentList.from(devices),
    index: new Map(devices.map(({ deviceId }, position) => [deviceId, position])),
    scanFrom: 0,
    moreToCome: false,
    working: new Set(document.window === 0 ? [] : devices.filter(isWorking).map(({ deviceId }) => deviceId)),
    dueAtMs: 0,
  };
}

/** A device more, behind all others; not started yet. */
export function addDevice(job: JobState, device: JobDevice): JobState {
  const counts = { ...job.document.counts, waiting: (job.document.counts['waiting'] ?? 0) + 1 };
  return {
    ...job,
    devices: job.devices.append(device),
    index: new Map(job.index).set(device.deviceId, job.devices.length),
    document: { ...job.document, counts, matched: job.document.matched + 1 },
  };
}

function isWorking({ state }: JobDevice): boolean {
  return state !== 'waiting' && state !== 'finished';
}

/** The name under which a device is counted. */
export function countName(device: JobDevice): string {
  return device.state === 'finished' ? (device.outcome ?? 'unknown') : device.state;
}

/** Added to a device's own time limit before the coordinator stops waiting: the way back, and a kill on the device. */
export const graceMs = 5_000;

/**
 * One device more of the one count, one less of the other: the same object, unless one of them is gone. V8 is slow for
 * good with objects of which something was deleted, and with all their copies.
 */
export function moved(counts: Record<string, number>, from: string, to: string): Record<string, number> {
  counts[to] = (counts[to] ?? 0) + 1;
  counts[from] = (counts[from] ?? 0) - 1;
  return counts[from] > 0 ? counts : Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}
