/** How long each state of an update of the agent's own program may last. Pure. */
import { timerAt, type Instant } from '../updater/update-timer.ts';
import type { UpdateReason } from '../updater/update.ts';
import type { ProgramHappening } from './program-table.ts';
import type { LiveProgramState, ProgramUpdate } from './program-update.ts';
import { maxTrialStarts } from './program-verdict.ts';

/** How long a restart is put off for what would be hurt by it; then it comes. */
export const maxBusySeconds = 3_600;
/** Beside what it may take to prove itself: until the launcher ends what hangs, and an init starts it again. */
const trialMarginSeconds = 300;

/** Of one try of the new program, by the owner's own number. */
export interface ProgramLimitSource {
  proveSeconds: number;
}

function limitSeconds(state: LiveProgramState, { proveSeconds }: ProgramLimitSource): number {
  switch (state) {
    case 'downloading':
      return 7 * 86_400; // as of a firmware
    case 'installing':
      return 900; // a few megabytes are written, on the slowest of disks
    case 'testing':
      return maxBusySeconds + maxTrialStarts * (proveSeconds + trialMarginSeconds);
  }
}

/** Until `programOverdue` has something to say. */
export function programLeftMs(
  update: ProgramUpdate & { state: LiveProgramState },
  source: ProgramLimitSource,
  now: Instant,
): number {
  return 1_000 * limitSeconds(update.state, source) - timerAt(update, now).spentMs;
}

/** What has to happen because it took too long; undefined: it may go on. */
export function programOverdue(
  update: ProgramUpdate & { state: LiveProgramState },
  source: ProgramLimitSource,
  now: Instant,
): (ProgramHappening & { reason: UpdateReason }) | undefined {
  if (programLeftMs(update, source, now) > 0) return undefined;
  const { state } = update;
  const message = `"${state}" lasted longer than ${limitSeconds(state, source)} s`;
  return { type: 'timed-out', reason: { code: `timed-out-${state}`, message } };
}
