import type { Firing, OverlapPolicy, Schedule, ScheduledJob, Trigger } from '../../client/contract/schedule.ts';

/** A schedule as it is stored. */
export interface ScheduleDocument {
  name: string;
  state: 'active' | 'paused' | 'done';
  trigger: Trigger;
  missed: 'skip' | 'once';
  /** Absent in those of earlier versions, which allowed it. */
  overlap?: OverlapPolicy;
  /** A time whose job waits until the one before is over. */
  waiting?: { dueAtMs: number };
  job: ScheduledJob;
  /** Devices that matched when it was made, of so many: later firings may have that share of the fleet. */
  expected: { matched: number; fleet: number };
  createdBy: string;
  createdAtMs: number;
  /** When it is due; only while it is active. */
  nextAtMs?: number;
  /** The newest last, at most `maxFirings`. */
  firings: readonly Firing[];
}

/** What is told of the past; every job that was started stays in the list of jobs. */
const maxFirings = 100;

export function withFiring(document: ScheduleDocument, firing: Firing): ScheduleDocument {
  return { ...document, firings: [...document.firings, firing].slice(-maxFirings) };
}

export function viewSchedule(document: ScheduleDocument): Schedule {
  return { ...document, firings: [...document.firings] };
}
