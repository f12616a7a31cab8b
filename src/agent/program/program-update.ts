/** The record of one update of the agent's own program: all that must survive a power cut, as one JSON document. */
import type { Evidence, HealthResult, Running, UpdateEvent } from '../../protocol/event.ts';
import type { BundleOffer } from '../../protocol/request.ts';
import type { UpdateReason, UpdateTimer } from '../updater/update.ts';

/** A part of those of a firmware's update: nothing restarts the machine, and going back is the launcher's work. */
export type LiveProgramState = 'downloading' | 'installing' | 'testing';
export type ProgramState = LiveProgramState | 'committed' | 'rolled-back' | 'failed' | 'rejected' | 'cancelled';

/** Fields are only ever added: after a way back the agent of the version before reads this. */
export interface ProgramUpdate {
  updateId: string;
  bundle: BundleOffer;
  expiresAtMs: number;
  state: ProgramState;
  /** How often each state was entered for this offer. */
  attempts: Partial<Record<ProgramState, number>>;
  enteredAtMs: number;
  /** Absent: it has just begun. */
  timer?: UpdateTimer;
  /** The program that took the offer: its version, and its bundle unless it is the one that was installed. */
  before: Running;
  after?: Running;
  reason?: UpdateReason;
  health: HealthResult[];
  /** All checks have passed; what is left is to make it the current one. */
  passed?: boolean;
  coordinatorReached?: boolean;
  /** Bytes of verified parts that are on disk. */
  downloadedBytes: number;
  installedAtMs?: number;
  testingSinceMs?: number;
  decidedAtMs?: number;
}

const terminal: ReadonlySet<ProgramState> = new Set(['committed', 'rolled-back', 'failed', 'rejected', 'cancelled']);

export function hasEnded({ state }: Pick<ProgramUpdate, 'state'>): boolean {
  return terminal.has(state);
}

export function isLive(update: ProgramUpdate): update is ProgramUpdate & { state: LiveProgramState } {
  return !hasEnded(update);
}

/** What the coordinator is told of the record. */
export function programEventOf(update: ProgramUpdate): UpdateEvent {
  const { state, reason, updateId, bundle, downloadedBytes } = update;
  return {
    rolloutId: updateId,
    bundleUuid: bundle.bundleUuid,
    state,
    attempt: update.attempts[state] ?? 1,
    source: 'agent',
    ...(state === 'downloading' ? { progressBytes: downloadedBytes } : {}),
    ...(reason ? { reason: { code: reason.code.slice(0, 64), message: reason.message.slice(0, 512) } } : {}),
    ...(state === 'rejected' || state === 'downloading' ? {} : { evidence: programEvidenceOf(update) }),
  };
}

export function programEvidenceOf(update: ProgramUpdate): Evidence {
  const { before, after, health, downloadedBytes } = update;
  const { coordinatorReached, installedAtMs, testingSinceMs, decidedAtMs } = update;
  return {
    before,
    health,
    downloadedBytes,
    ...(after === undefined ? {} : { after }),
    ...(coordinatorReached === undefined ? {} : { coordinatorReached }),
    ...(installedAtMs === undefined ? {} : { installedAtMs }),
    ...(testingSinceMs === undefined ? {} : { testingSinceMs }),
    ...(decidedAtMs === undefined ? {} : { decidedAtMs }),
  };
}
