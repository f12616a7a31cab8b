/** What the demo found: the `--json` document. Everything in it was read from outside the thing that it speaks of. */
import type { BoardRecord } from '../board/index.ts';
import type { Device, Job, Release, Rollout, RolloutDevice } from '../client/contract/index.ts';
import type { Typed } from './demo-cli.ts';
import type { PlannedDevice } from './fleet-plan.ts';

/** A disk, read by the demo itself. */
export interface DiskState {
  activeSlot: string;
  /** As the environment names them, by slot. */
  uuids: Record<string, string>;
  /** BLAKE2b-256 of the first bytes of each slot, as many as each release's rootfs has: slot, then version. */
  digests: Record<string, Record<string, string>>;
  onTrial: boolean;
}

export interface PowerCut {
  deviceId: string;
  phase: 'download' | 'install';
  atMs: number;
  /** The boot that ended. */
  bootId: string;
  /** What the device had told the coordinator last. */
  toldState: string;
  /** `download`: bytes of the bundle on the data partition; `install`: bytes up to the last one written in the slot. */
  haveBytes: number;
  /** Of the whole bundle. */
  sizeBytes: number;
  /** Read when the power was off. */
  disk: DiskState;
}

export interface Check {
  /** Stable, kebab-case. */
  id: string;
  /** What was expected, as a sentence. */
  text: string;
  ok: boolean;
  /** What was seen instead, or the numbers. */
  detail: string;
}

export interface Moment {
  atMs: number;
  deviceId?: string;
  text: string;
}

export interface DeviceReport extends PlannedDevice {
  /** Every boot, by the board's own log. */
  boots: Extract<BoardRecord, { event: 'boot' }>[];
  second?: RolloutDevice;
  third?: RolloutDevice;
  afterSecond?: DiskState;
  atEnd?: DiskState;
  device?: Device;
}

export interface DemoReport {
  ok: boolean;
  dir: string;
  kept: boolean;
  startedAtMs: number;
  durationMs: number;
  releases: Release[];
  job?: Job;
  secondRollout?: Rollout;
  thirdRollout?: Rollout;
  cuts: PowerCut[];
  devices: DeviceReport[];
  checks: Check[];
  timeline: Moment[];
  bytes: { receivedByCoordinator: number; sentByCoordinator: number };
  commands: Typed[];
  next: string[];
}
