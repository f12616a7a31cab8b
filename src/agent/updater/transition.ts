/**
 * The update's state machine: a table without IO. `transition` says what the record becomes; the caller puts it on disk
 * together with its event before it does anything of the new state.
 */
import type { HealthResult, Running } from '../../protocol/event.ts';
import { FlotillaError } from '../../error.ts';
import type { DeviceUpdateState, SlotImage, Update, UpdateReason } from './update.ts';
import { isTerminal } from './update.ts';

/** What happened. Everything that a state learns travels in its event, so that it is stored by the same write. */
export type UpdateHappening =
  | { type: 'download-begun' }
  /** The agent came back (or the reboot command did nothing) and the state is entered again. */
  | { type: 'resumed'; progressed?: boolean; downloadedBytes?: number; before?: Running }
  | { type: 'bundle-verified'; images?: Record<string, SlotImage[]>; downloadedBytes: number }
  | { type: 'bundle-lost' }
  /** The delta is of no use here: the whole bundle is fetched in its place. Nothing was switched over. */
  | { type: 'delta-failed'; deltaFailed: string }
  | { type: 'refused'; reason: UpdateReason }
  | { type: 'cancelled'; reason: UpdateReason }
  | { type: 'failed'; reason: UpdateReason }
  | { type: 'install-begun'; before: Running; inactiveUuid?: string }
  | { type: 'install-failed'; reason: UpdateReason }
  /** `before`: what ran while it was installed; another boot than when it began, if power was lost in between. */
  | { type: 'flipped'; before?: Running }
  | { type: 'booted-new'; after: Running }
  | { type: 'fell-back'; after: Running; reason: UpdateReason }
  | { type: 'test-failed'; reason: UpdateReason; health?: HealthResult[]; slotDigestMatches?: boolean }
  | {
      type: 'proven';
      after: Running;
      health: HealthResult[];
      slotDigestMatches?: boolean;
      coordinatorReached?: boolean;
    }
  | { type: 'reverted'; after: Running };
export type UpdateHappeningType = UpdateHappening['type'];

/** A state may be entered this often for one offer; the next entry goes where `exhausted` says. */
export const maxEntries = 3;

type Ends = 'revert-outcome';
type Row = Partial<Record<UpdateHappeningType, DeviceUpdateState | Ends>>;

/** Rows: the state; columns: what happened; cells: the next state. What has no cell is illegal. */
export const updateTable: Readonly<Record<DeviceUpdateState, Row>> = {
  offered: {
    resumed: 'offered',
    'download-begun': 'downloading',
    refused: 'rejected',
    cancelled: 'cancelled',
    failed: 'failed',
  },
  downloading: {
    resumed: 'downloading',
    'bundle-verified': 'verified',
    'bundle-lost': 'downloading',
    'delta-failed': 'downloading',
    refused: 'rejected',
    cancelled: 'cancelled',
    failed: 'failed',
  },
  verified: {
    resumed: 'verified',
    'bundle-lost': 'downloading',
    'install-begun': 'installing',
    refused: 'rejected',
    cancelled: 'cancelled',
    failed: 'failed',
  },
  installing: {
    resumed: 'installing',
    flipped: 'rebooting',
    'delta-failed': 'downloading',
    'install-failed': 'reverting',
    'fell-back': 'rolled-back',
  },
  rebooting: { resumed: 'rebooting', 'booted-new': 'testing', 'fell-back': 'rolled-back', 'test-failed': 'reverting' },
  testing: { resumed: 'testing', proven: 'committed', 'test-failed': 'reverting', 'fell-back': 'rolled-back' },
  reverting: { resumed: 'reverting', reverted: 'revert-outcome', failed: 'failed' },
  committed: {},
  'rolled-back': {},
  failed: {},
  rejected: {},
  cancelled: {},
};

/** Where a state leads that was entered too often. From `installing` on the slot may be flipped, so it is put back first. */
const exhausted: Readonly<Partial<Record<DeviceUpdateState, DeviceUpdateState>>> = {
  offered: 'failed',
  downloading: 'failed',
  verified: 'failed',
  installing: 'reverting',
  rebooting: 'reverting',
  testing: 'reverting',
  reverting: 'failed',
};

/**
 * The record after `happening`. Throws `update-illegal-transition` (and leaves the record as it was) for a pair that is
 * not in the table.
 */
export function transition(update: Update, happening: UpdateHappening, nowMs: number): Update {
  const cell = updateTable[update.state][happening.type];
  if (cell === undefined) {
    throw new FlotillaError(
      'ours',
      'update-illegal-transition',
      `an update that is ${update.state} cannot take "${happening.type}"`,
      {
        expected: Object.keys(updateTable[update.state]).join(', ') || 'nothing: it has ended',
      },
    );
  }
  const to = cell === 'revert-outcome' ? (update.revertTo ?? 'failed') : cell;
  return enter(learn(update, happening), to, {
    from: update.state,
    nowMs,
    fresh: update.state === 'downloading' && happening.type === 'resumed' && happening.progressed === true,
  });
}

function learn(update: Update, happening: UpdateHappening): Update {
  const { type, progressed: _, ...facts } = { progressed: undefined, ...happening };
  if (type !== 'delta-failed') return { ...update, ...facts };
  const { delta: __, ...whole } = update;
  return { ...whole, ...facts, downloadedBytes: 0 };
}

interface Entry {
  from: DeviceUpdateState;
  nowMs: number;
  /** It got somewhere since the last entry, so this is no loop. */
  fresh: boolean;
}

function enter(update: Update, to: DeviceUpdateState, { from, nowMs, fresh }: Entry): Update {
  const entries = (fresh ? 0 : (update.attempts[to] ?? 0)) + 1;
  const detour = entries > maxEntries ? exhausted[to] : undefined;
  if (detour !== undefined) {
    const reason = update.reason ?? {
      code: 'attempts-exhausted',
      message: `gave up after entering "${to}" ${maxEntries} times`,
    };
    return enter({ ...update, reason }, detour, { from: to, nowMs, fresh: false });
  }
  return {
    ...update,
    state: to,
    attempts: { ...update.attempts, [to]: entries },
    enteredAtMs: nowMs,
    ...(to === 'reverting' && from !== 'reverting' ? { revertTo: from === 'testing' ? 'rolled-back' : 'failed' } : {}),
    ...(to === 'rebooting' && from === 'installing' ? { installedAtMs: nowMs } : {}),
    ...(to === 'testing' ? { testingSinceMs: nowMs } : {}),
    ...(isTerminal(to) ? { decidedAtMs: nowMs } : {}),
  };
}
