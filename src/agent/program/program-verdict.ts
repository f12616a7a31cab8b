/** What the files say of an update that an earlier process left. Pure. */
import type { Running } from '../../protocol/event.ts';
import type { UpdateReason } from '../updater/update.ts';
import type { ProgramHappening } from './program-table.ts';
import type { ProgramUpdate } from './program-update.ts';

/** So often the launcher starts what is on trial; its script holds the same number. */
export const maxTrialStarts = 3;

/** A program in its folder, which is named by the bundle it came in. */
export interface Trial {
  bundleUuid: string;
  /** It was made for the program that is installed now. */
  fits: boolean;
  /** How often the launcher has started it. */
  starts: number;
  /** How those ended: exit codes, 128 and more for a signal. */
  ends: readonly number[];
  /** `code: message`: it is not started any more. */
  failed?: string;
}

export interface ProgramFacts {
  /** The bundle of the program that asks; undefined: it is the one that was installed. */
  runs: string | undefined;
  version: string;
  bootId: string;
  current: string | undefined;
  trial: Trial | undefined;
}

/** `place`, `prove`, `switch`: what is to be done next; `restart`: by another process. */
export type ProgramVerdict = { happening: ProgramHappening } | { next: 'place' | 'prove' | 'switch' | 'restart' };

/** Of an update that is `installing` or `testing`. */
export function programVerdict(update: ProgramUpdate, facts: ProgramFacts): ProgramVerdict {
  const { bundleUuid } = update.bundle;
  const { runs, current } = facts;
  const trial = facts.trial?.bundleUuid === bundleUuid ? facts.trial : undefined;
  if (update.state === 'installing') return trial === undefined ? { next: 'place' } : { happening: { type: 'placed' } };
  if (runs === bundleUuid) {
    if (update.passed === true && current === bundleUuid) return { happening: { type: 'switched' } };
    if (trial?.failed !== undefined) return { next: 'restart' };
    return { next: update.passed === true ? 'switch' : 'prove' };
  }
  if (trial === undefined) {
    const message = 'it stands on trial no more, and this is another program';
    return { happening: { type: 'failed', reason: { code: 'program-gone', message } } };
  }
  const reason = reasonOf(trial);
  if (reason === undefined) return { next: 'restart' };
  // What never ran can't be gone back from.
  if (trial.starts === 0) return { happening: { type: 'failed', reason } };
  return { happening: { type: 'fell-back', after: runningOf(facts), reason } };
}

/** Why the launcher does not start it (any more); undefined: it does. */
function reasonOf({ fits, failed, starts, ends }: Trial): UpdateReason | undefined {
  if (failed !== undefined) {
    const colon = failed.indexOf(': ');
    return colon < 0
      ? { code: 'trial-failed', message: failed }
      : { code: failed.slice(0, colon), message: failed.slice(colon + 2) };
  }
  if (!fits) {
    const message = 'another agent was installed meanwhile: this one was made to take the place of the one before';
    return { code: 'base-changed', message };
  }
  if (starts < maxTrialStarts) return undefined;
  const how = ends.length === 0 ? 'no end of it was seen' : `it ended with ${ends.map(endText).join(', ')}`;
  return { code: 'trial-exhausted', message: `it did not prove itself in ${starts} starts: ${how}` };
}

function endText(code: number): string {
  return code > 128 ? `signal ${code - 128}` : `exit code ${code}`;
}

export function runningOf({ runs, version, bootId }: Pick<ProgramFacts, 'runs' | 'version' | 'bootId'>): Running {
  return { bootId, version, ...(runs === undefined ? {} : { bundleUuid: runs }) };
}
