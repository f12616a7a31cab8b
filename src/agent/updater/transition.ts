/**
 * The update's state machine: a table without IO. `transition` says what the record becomes; the caller puts it on disk
 * together with its event before it does anything of the new state.
 */
import type { HealthResult, HookResult, Running } from '../../protocol/event.ts';
import { FlotillaError } from '../../error.ts';
import type { DeviceUpdateState, SlotImage, Update, UpdateReason, Wait } from './update.ts';
import { isTerminal } from './update.ts';
import { timerAt, timerOfNext, type Instant } from './update-timer.ts';

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
  | { type: 'reverted'; after: Running }
  /** The state has lasted longer than it may. */
  | { type: 'timed-out'; limitSeconds: number }
  /** It has waited longer than it may for what nobody here decides: a window, another network. */
  | { type: 'waited-out'; limitSeconds: number }
  /** It could go on and does not. */
  | { type: 'waits'; wait: Wait }
  | { type: 'goes-on' }
  /** Something of it is known now; the state stays. */
  | { type: 'noted'; approvedAtMs?: number; hooks?: HookResult[] }
  /** Time has passed, and is written down. */
  | { type: 'ticked' };
export type UpdateHappeningType = UpdateHappening['type'];

/** A state may be entered this often for one offer; the next entry goes where `exhausted` says. */
export const maxEntries = 3;
/** All states together, but for `reverting`, which has `maxEntries` of its own whatever came before. */
export const maxEntriesInAll = 16;
/** Boots of the machine from the beginning of the installation to the end of the test. */
export const maxBoots = 6;

/** `stays`: no entry, and no attempt. */
type Ends = 'revert-outcome' | 'stays';
type Row = Partial<Record<UpdateHappeningType, DeviceUpdateState | Ends>>;

const noted = { noted: 'stays', ticked: 'stays' } as const;
const waiting = { ...noted, waits: 'stays', 'goes-on': 'stays' } as const;

/** Rows: the state; columns: what happened; cells: the next state. What has no cell is illegal. */
export const updateTable: Readonly<Record<DeviceUpdateState, Row>> = {
  offered: {
    ...waiting,
    resumed: 'offered',
    'download-begun': 'downloading',
    refused: 'rejected',
    cancelled: 'cancelled',
    failed: 'failed',
    'timed-out': 'failed',
    'waited-out': 'cancelled',
  },
  downloading: {
    ...waiting,
    resumed: 'downloading',
    'bundle-verified': 'verified',
    'bundle-lost': 'downloading',
    'delta-failed': 'downloading',
    refused: 'rejected',
    cancelled: 'cancelled',
    failed: 'failed',
    'timed-out': 'failed',
    'waited-out': 'cancelled',
  },
  verified: {
    ...waiting,
    resumed: 'verified',
    'bundle-lost': 'downloading',
    'install-begun': 'installing',
    refused: 'rejected',
    cancelled: 'cancelled',
    failed: 'failed',
    'timed-out': 'failed',
    'waited-out': 'cancelled',
  },
  installing: {
    ...waiting,
    resumed: 'installing',
    flipped: 'rebooting',
    'delta-failed': 'downloading',
    'install-failed': 'reverting',
    'fell-back': 'rolled-back',
    'timed-out': 'reverting',
  },
  rebooting: {
    ...waiting,
    resumed: 'rebooting',
    'booted-new': 'testing',
    'fell-back': 'rolled-back',
    'test-failed': 'reverting',
    'timed-out': 'reverting',
    'waited-out': 'reverting',
  },
  testing: {
    ...waiting,
    resumed: 'testing',
    proven: 'committed',
    'test-failed': 'reverting',
    'fell-back': 'rolled-back',
    'timed-out': 'reverting',
  },
  reverting: { ...noted, resumed: 'reverting', reverted: 'revert-outcome', failed: 'failed', 'timed-out': 'failed' },
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

/** From here to the proof the machine may be restarted by what is installed. */
const onTrial: ReadonlySet<DeviceUpdateState> = new Set(['installing', 'rebooting', 'testing']);

/**
 * The record after `happening`. Throws `update-illegal-transition` (and leaves the record as it was) for a pair that is
 * not in the table.
 */
export function transition(update: Update, happening: UpdateHappening, now: Instant): Update {
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
  const timed = countBoot({ ...update, timer: timerAt(update, now) }, update.timer?.bootId);
  const learned = learn(timed, happening);
  if (cell === 'stays') return learned;
  // While it waits for somebody, restarts are no attempts: they cost time, and time is bounded.
  if (happening.type === 'resumed' && update.wait !== undefined && update.wait.code !== 'hook-retry' && !worn(learned))
    return learned;
  const { wait: _, ...going } = learned;
  const to = cell === 'revert-outcome' ? (update.revertTo ?? 'failed') : cell;
  return enter(going, to, {
    from: update.state,
    nowMs: now.nowMs,
    fresh: update.state === 'downloading' && happening.type === 'resumed' && happening.progressed === true,
  });
}

function countBoot(update: Update, lastBootId: string | undefined): Update {
  if (lastBootId === undefined || lastBootId === update.timer?.bootId || !onTrial.has(update.state)) return update;
  return { ...update, boots: (update.boots ?? 0) + 1 };
}

function learn(update: Update, happening: UpdateHappening): Update {
  switch (happening.type) {
    case 'timed-out':
    case 'waited-out':
      return { ...update, reason: lateReason(update, happening) };
    case 'goes-on': {
      const { wait: _, ...going } = update;
      return going;
    }
    case 'delta-failed': {
      const { delta: _, ...whole } = update;
      return { ...whole, deltaFailed: happening.deltaFailed, downloadedBytes: 0 };
    }
    default: {
      const { type: _, progressed: __, ...facts } = { progressed: undefined, ...happening };
      return { ...update, ...facts };
    }
  }
}

function lateReason(
  { state, wait }: Update,
  { type, limitSeconds }: { type: 'timed-out' | 'waited-out'; limitSeconds: number },
): UpdateReason {
  const what = type === 'timed-out' ? `"${state}" lasted` : `it waited (${wait?.message ?? 'for what did not come'})`;
  return { code: `timed-out-${state}`, message: `${what} longer than ${limitSeconds} s` };
}

interface Entry {
  from: DeviceUpdateState;
  nowMs: number;
  /** It got somewhere since the last entry, so this is no loop. */
  fresh: boolean;
}

/** The update as a whole has had its share. */
function worn({ entries = 0, boots = 0, state }: Update): boolean {
  return state !== 'reverting' && (entries >= maxEntriesInAll || boots > maxBoots);
}

function enter(update: Update, to: DeviceUpdateState, { from, nowMs, fresh }: Entry): Update {
  const entries = (fresh ? 0 : (update.attempts[to] ?? 0)) + 1;
  const detour = entries > maxEntries || worn({ ...update, state: to }) ? exhausted[to] : undefined;
  if (detour !== undefined) {
    const message =
      entries > maxEntries
        ? `gave up after entering "${to}" ${maxEntries} times`
        : `gave up before "${to}" after ${update.entries ?? 0} attempts and ${update.boots ?? 0} boots in all`;
    const reason = update.reason ?? { code: 'attempts-exhausted', message };
    return enter({ ...update, reason }, detour, { from: to, nowMs, fresh: false });
  }
  return {
    ...update,
    state: to,
    attempts: { ...update.attempts, [to]: entries },
    entries: (update.entries ?? 0) + (fresh ? 0 : 1),
    enteredAtMs: nowMs,
    ...(to === from || update.timer === undefined ? {} : { timer: timerOfNext(update.timer) }),
    ...(to === 'reverting' && from !== 'reverting' ? { revertTo: from === 'testing' ? 'rolled-back' : 'failed' } : {}),
    ...(to === 'rebooting' && from === 'installing' ? { installedAtMs: nowMs } : {}),
    ...(to === 'testing' ? { testingSinceMs: nowMs } : {}),
    ...(isTerminal(to) ? { decidedAtMs: nowMs, endHooksDue: true } : {}),
  };
}
