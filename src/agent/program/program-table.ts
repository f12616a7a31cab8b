/**
 * The state machine of the agent's own update: a table without IO. `programTransition` says what the record becomes; the
 * caller puts it on disk together with its event before it does anything of the new state.
 */
import { FlotillaError } from '../../error.ts';
import type { HealthResult, Running } from '../../protocol/event.ts';
import { timerAt, timerOfNext, type Instant } from '../updater/update-timer.ts';
import type { UpdateReason } from '../updater/update.ts';
import { hasEnded, type ProgramState, type ProgramUpdate } from './program-update.ts';

export type ProgramHappening =
  /** Another process took it up, or the launcher did not start what is on trial: the state is entered again. */
  | { type: 'resumed'; progressed?: boolean; downloadedBytes?: number }
  | { type: 'bundle-verified'; downloadedBytes: number }
  /** What was written to the disk is not what is read from it. */
  | { type: 'bundle-lost' }
  | { type: 'refused'; reason: UpdateReason }
  | { type: 'cancelled'; reason: UpdateReason }
  | { type: 'failed'; reason: UpdateReason }
  /** The state has lasted longer than it may, and nothing new has run. */
  | { type: 'timed-out'; reason: UpdateReason }
  /** Time has passed, and is written down. */
  | { type: 'ticked' }
  /** It is on trial: the launcher starts it from now on. */
  | { type: 'placed' }
  /** The new program has seen all that proves it; nothing is switched over yet. */
  | { type: 'passed'; after: Running; health: HealthResult[]; coordinatorReached: boolean }
  /** The new program is the current one. */
  | { type: 'switched' }
  /** The old program runs again, and the new one has run. */
  | { type: 'fell-back'; after: Running; reason: UpdateReason; health?: HealthResult[] };
export type ProgramHappeningType = ProgramHappening['type'];

/** A state may be entered this often for one offer; the next entry ends it. */
export const maxProgramEntries = 3;

/** `stays`: no entry, and no attempt. */
type Row = Partial<Record<ProgramHappeningType, ProgramState | 'stays'>>;

const timed = { ticked: 'stays', 'timed-out': 'failed' } as const;

/** Rows: the state; columns: what happened; cells: the next state. What has no cell is illegal. */
export const programTable: Readonly<Record<ProgramState, Row>> = {
  downloading: {
    ...timed,
    resumed: 'downloading',
    'bundle-verified': 'installing',
    'bundle-lost': 'downloading',
    refused: 'rejected',
    cancelled: 'cancelled',
    failed: 'failed',
  },
  installing: { ...timed, resumed: 'installing', placed: 'testing', 'bundle-lost': 'downloading', failed: 'failed' },
  testing: {
    ...timed,
    resumed: 'testing',
    passed: 'stays',
    switched: 'committed',
    'fell-back': 'rolled-back',
    failed: 'failed',
  },
  committed: {},
  'rolled-back': {},
  failed: {},
  rejected: {},
  cancelled: {},
};

/** Throws `program-illegal-transition` (and leaves the record as it was) for a pair that is not in the table. */
export function programTransition(update: ProgramUpdate, happening: ProgramHappening, now: Instant): ProgramUpdate {
  const cell = programTable[update.state][happening.type];
  // A success without its evidence is none, whoever asks for it.
  if (cell === undefined || (happening.type === 'switched' && update.passed !== true)) {
    throw new FlotillaError(
      'ours',
      'program-illegal-transition',
      `an update of the agent that is ${update.state} cannot take "${happening.type}"`,
      { expected: Object.keys(programTable[update.state]).join(', ') || 'nothing: it has ended' },
    );
  }
  const learned = learn({ ...update, timer: timerAt(update, now) }, happening);
  if (cell === 'stays') return learned;
  const fresh = happening.type === 'resumed' && happening.progressed === true;
  return enter(learned, cell, { nowMs: now.nowMs, fresh });
}

function learn(update: ProgramUpdate, happening: ProgramHappening): ProgramUpdate {
  if (happening.type === 'bundle-lost') return { ...update, downloadedBytes: 0 };
  const { type, progressed: _, ...facts } = { progressed: undefined, ...happening };
  return { ...update, ...facts, ...(type === 'passed' ? { passed: true } : {}) };
}

/** A state is entered again by a program that is not the one on trial. */
const neverStarted: UpdateReason = { code: 'trial-not-started', message: 'the launcher does not start it' };

function enter(
  update: ProgramUpdate,
  to: ProgramState,
  { nowMs, fresh }: { nowMs: number; fresh: boolean },
): ProgramUpdate {
  const entries = (fresh ? 0 : (update.attempts[to] ?? 0)) + 1;
  if (entries > maxProgramEntries && !hasEnded({ state: to })) {
    const message = `gave up after entering "${to}" ${maxProgramEntries} times`;
    const spent = { code: 'attempts-exhausted', message };
    const reason = update.reason ?? (to === 'testing' ? neverStarted : spent);
    return enter({ ...update, reason }, 'failed', { nowMs, fresh: false });
  }
  return {
    ...update,
    state: to,
    attempts: { ...update.attempts, [to]: entries },
    enteredAtMs: nowMs,
    ...(to === update.state || update.timer === undefined ? {} : { timer: timerOfNext(update.timer) }),
    ...(to === 'testing' && update.state === 'installing' ? { installedAtMs: nowMs, testingSinceMs: nowMs } : {}),
    ...(hasEnded({ state: to }) ? { decidedAtMs: nowMs } : {}),
  };
}
