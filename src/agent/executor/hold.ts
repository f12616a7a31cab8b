import type { JobEvent, JobOutcome } from '../../protocol/event.ts';
import type { JobRun } from '../../protocol/request.ts';
import type { BootTime } from '../machine/boot-time.ts';

/** How an action ended, without its outputs. */
export type ActionFate = Pick<JobEvent, 'exitCode' | 'signal' | 'reason' | 'startedAtMs' | 'finishedAtMs'> & {
  outcome: JobOutcome;
};

/** On the disk: how much of a hold is over, as far as this device can prove it. */
export interface HoldRecord {
  /** Over at the time of this record. */
  elapsedMs: number;
  bootId: string;
  uptimeMs: number;
  /** The coordinator's time when it began, where it was known. */
  beganAtMs?: number;
  /** The machine was off in between, and how long is not known from here. */
  wasOff?: boolean;
  /** What became of the first action, once that has ended. */
  first?: ActionFate;
  /** The restoring action has begun, so often. */
  restoring?: boolean;
  runs?: number;
  /** It was ended early. */
  cancelled?: boolean;
}

export function beginHold(machine: BootTime, coordinatorMs: number | undefined): HoldRecord {
  return {
    elapsedMs: 0,
    bootId: machine.bootId(),
    uptimeMs: machine.uptimeMs(),
    ...(coordinatorMs === undefined ? {} : { beganAtMs: coordinatorMs }),
  };
}

/**
 * The record as it is now. Within one boot the time is exact, and no clock has a say. Over a restart of the machine only
 * what was recorded before it counts, because a clock that lost its battery may say anything: the return may come later
 * by the time that the machine was off, never earlier. The coordinator's time, once it is known again, makes that good.
 */
export function advanceHold(record: HoldRecord, machine: BootTime, coordinatorMs: number | undefined): HoldRecord {
  const bootId = machine.bootId();
  const uptimeMs = machine.uptimeMs();
  const sameBoot = bootId === record.bootId;
  const provenMs = record.elapsedMs + (sameBoot ? Math.max(0, uptimeMs - record.uptimeMs) : 0);
  const wasOff = record.wasOff === true || !sameBoot;
  const toldMs =
    wasOff && coordinatorMs !== undefined && record.beganAtMs !== undefined ? coordinatorMs - record.beganAtMs : 0;
  return { ...record, bootId, uptimeMs, elapsedMs: Math.max(provenMs, toldMs), ...(wasOff ? { wasOff } : {}) };
}

/** How often the record is written: what a restart of the machine may cost. A twentieth, and neither always nor never. */
export function recordEveryMs(forMs: number): number {
  return Math.min(Math.max(forMs / 20, 5_000), 300_000);
}

/** One that ends the agent itself would do so for ever. */
const maxRuns = 3;

export function restoreRuns({ restoring, runs }: Pick<HoldRecord, 'restoring' | 'runs'>): number {
  return runs ?? (restoring === true ? 1 : 0);
}

/**
 * The agent stopped while the restoring action ran, and nobody saw how far that got. Running it twice is the smaller harm:
 * a load that stays shed is what it is there to prevent. Unless the operator has said that it must not.
 */
export function mayRunAgain(hold: JobRun['hold'], record: Pick<HoldRecord, 'restoring' | 'runs'>): boolean {
  return hold?.once !== true && restoreRuns(record) < maxRuns;
}

/** Of one that was run again. */
export function runsReason(runs: number): string | undefined {
  return runs === 1 ? undefined : `run ${runs} times: the agent or the machine stopped meanwhile`;
}

/** How a job with a hold ends as a whole: not better than the worse of its two actions. */
export function holdOutcome(
  { first, cancelled }: Pick<HoldRecord, 'first' | 'cancelled'>,
  restore: Pick<ActionFate, 'outcome' | 'reason' | 'exitCode'>,
): { outcome: JobOutcome; reason?: string } {
  const back = restore.exitCode === undefined || restore.exitCode === 0 ? restore.outcome : `exit ${restore.exitCode}`;
  if (restore.outcome !== 'succeeded') {
    return { outcome: restore.outcome, reason: `the action behind --then: ${restore.reason ?? back}` };
  }
  if (cancelled === true) return { outcome: 'cancelled', reason: 'ended early; the action behind --then succeeded' };
  if (first === undefined) return { outcome: 'unknown' };
  return { outcome: first.outcome, ...(first.reason === undefined ? {} : { reason: first.reason }) };
}
