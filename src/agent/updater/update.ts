/** The record of one update on this device: all that must survive a power cut, as one JSON document in the database. */
import type {
  Evidence,
  HealthResult,
  HookResult,
  Running,
  UpdateEvent,
  UpdateState,
  UpdateWait,
} from '../../protocol/event.ts';
import type { UpdateReceipt } from '../../pki/update-receipt.ts';
import type { BundleOffer, DeltaOffer, FileOffer, UpdateConduct } from '../../protocol/request.ts';

/**
 * The states of DESIGN §8, and one more that only the device knows: `reverting` (the decision to go back is on disk,
 * the old slot is not proven yet). It is reported as `testing` with a reason.
 */
export type DeviceUpdateState = Exclude<UpdateState, 'idle'> | 'reverting';

export interface UpdateReason {
  code: string;
  message: string;
}

export const waitCodes = [
  'deferred',
  'needs-approval',
  'window-download',
  'window-install',
  'window-reboot',
  'metered',
  /** A program of the product holds the restart up. */
  'reboot-held',
  /** A hook said that it wants to be asked again. */
  'hook-retry',
] as const;
export type WaitCode = (typeof waitCodes)[number];

export interface Wait extends UpdateWait {
  code: WaitCode;
}

/**
 * How long the update has been in its state, by the time that the machine has counted since it booted: no clock can set
 * that, and it does not go on while the machine is off.
 */
export interface UpdateTimer {
  /** Of the boot in which it was written, and how long that boot had lasted. */
  bootId: string;
  uptimeMs: number;
  /** Without what it waited; of the present state. */
  spentMs: number;
  /** In the whole update. */
  waitedMs: Partial<Record<WaitCode, number>>;
}

/** An image of the bundle as it must stand on the destination once a slot is written. */
export interface SlotImage {
  runs: { offsetBytes: number; lengthBytes: number }[];
  /** Of the runs, lower-case hex. */
  blake2b256: string;
}

/** Fields are only ever added: after a rollback the agent of the version before reads this. */
export interface Update {
  rolloutId: string;
  bundle: BundleOffer;
  /** What is fetched in place of the whole bundle, as long as it works. */
  delta?: DeltaOffer;
  /** Why it did not. */
  deltaFailed?: string;
  expiresAtMs: number;
  state: DeviceUpdateState;
  /** How often each state was entered for this offer. */
  attempts: Partial<Record<DeviceUpdateState, number>>;
  enteredAtMs: number;
  /** What ran when the offer was taken; its boot id tells a restart of the agent from a restart of the machine. */
  before: Running;
  /** What the environment called the bundle of the other slot before anything was written. */
  inactiveUuid?: string;
  /** By slot, what the task that activates it writes there. Slots whose task says nothing of it are absent. */
  images?: Record<string, SlotImage[]>;
  reason?: UpdateReason;
  /** How it ends once the old slot runs again; set with `reverting`. */
  revertTo?: 'rolled-back' | 'failed';
  after?: Running;
  health: HealthResult[];
  slotDigestMatches?: boolean;
  /** False: the slot is kept by the owner's rule, and nobody has seen its link. */
  coordinatorReached?: boolean;
  /** Bytes of verified parts that are on disk. */
  downloadedBytes: number;
  installedAtMs?: number;
  testingSinceMs?: number;
  decidedAtMs?: number;
  /** What the coordinator asked for beside the bundle. */
  conduct?: UpdateConduct;
  /** Of the offer; absent: the first. */
  offerAttempt?: number;
  /** Why it does not go on just now. */
  wait?: Wait;
  timer?: UpdateTimer;
  /** Entries of all states that count as attempts. */
  entries?: number;
  /** Boots since the installation began. */
  boots?: number;
  /** When somebody at the device has approved it. */
  approvedAtMs?: number;
  /** The last of the hooks that ran. */
  hooks?: HookResult[];
  /** The hooks of its end have not run yet. */
  endHooksDue?: boolean;
  /** Not offered by a coordinator: a file that somebody brought, and whether the device had a link then. */
  source?: { path: string; linked: boolean };
  /** With `source`: what the device says of the end, signed. */
  receipt?: UpdateReceipt;
}

/** What is fetched and installed. */
export function fileOf({ bundle, delta }: Pick<Update, 'bundle' | 'delta'>): FileOffer {
  return delta ?? bundle;
}

const terminal: ReadonlySet<string> = new Set(['committed', 'rolled-back', 'failed', 'rejected', 'cancelled']);

export function isTerminal(state: DeviceUpdateState): boolean {
  return terminal.has(state);
}

/**
 * A result that stands: this offer is answered with it and not tried again. Rejected and cancelled ones may be offered
 * anew, a failed one by a higher attempt; what was proven or reverted never is.
 */
export function isFinal({ state, offerAttempt = 1 }: Update, attempt = 1): boolean {
  return state === 'committed' || state === 'rolled-back' || (state === 'failed' && attempt <= offerAttempt);
}

/** What the coordinator is told of the record. */
export function updateEventOf(update: Update): UpdateEvent {
  const { state, reason, wait, source } = update;
  return {
    rolloutId: update.rolloutId,
    bundleUuid: update.bundle.bundleUuid,
    state: state === 'reverting' ? 'testing' : state,
    attempt: update.attempts[state] ?? 1,
    ...(state === 'downloading' ? { progressBytes: update.downloadedBytes } : {}),
    ...(reason ? { reason: { code: reason.code.slice(0, 64), message: reason.message.slice(0, 512) } } : {}),
    ...(source ? { source: 'file' as const } : {}),
    ...(wait ? { wait: { ...wait, message: wait.message.slice(0, 512) } } : {}),
    ...(state === 'rejected' || state === 'offered' || state === 'downloading' ? {} : { evidence: evidenceOf(update) }),
  };
}

export function evidenceOf(update: Update): Evidence {
  const { before, after, slotDigestMatches, health, downloadedBytes, installedAtMs, testingSinceMs, decidedAtMs } =
    update;
  const { delta, deltaFailed, coordinatorReached, hooks = [] } = update;
  return {
    before,
    health,
    downloadedBytes,
    ...(delta === undefined ? {} : { deltaFrom: delta.fromUuid }),
    ...(deltaFailed === undefined ? {} : { deltaFailed: deltaFailed.slice(0, 512) }),
    ...(after === undefined ? {} : { after }),
    ...(slotDigestMatches === undefined ? {} : { slotDigestMatches }),
    ...(coordinatorReached === undefined ? {} : { coordinatorReached }),
    ...(installedAtMs === undefined ? {} : { installedAtMs }),
    ...(testingSinceMs === undefined ? {} : { testingSinceMs }),
    ...(decidedAtMs === undefined ? {} : { decidedAtMs }),
    ...(hooks.length === 0 ? {} : { hooks }),
  };
}
