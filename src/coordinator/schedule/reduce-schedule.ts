/**
 * What a schedule does at a time. Pure: what it is to start is told, and its state moves on in the same step, so that
 * both are stored by one commit: a firing happens once, or (after a crash before that commit) has not happened yet.
 */
import { nextTime } from './next-time.ts';
import { withFiring, type ScheduleDocument } from './schedule-document.ts';

/** A firing that is later than this was missed: the coordinator was not there, or its clock has jumped. */
export const lateMs = 60_000;

export interface Due {
  document: ScheduleDocument;
  /** Start the job that was due at this time. */
  fire?: { dueAtMs: number };
}

/** Undefined while nothing is due. */
export function takeDue(document: ScheduleDocument, nowMs: number): Due | undefined {
  const { nextAtMs: dueAtMs, trigger, missed } = document;
  if (document.state !== 'active' || dueAtMs === undefined || dueAtMs > nowMs) return undefined;
  const moved = moveOn(document, nowMs);
  if (nowMs - dueAtMs <= lateMs) return { document: moved, fire: { dueAtMs } };
  if (missed === 'once') return { document: moved, fire: { dueAtMs } };
  // The last of those that were missed may be this minute's, and that one is not late.
  const { times, lastAtMs } = countMissed(trigger, dueAtMs, nowMs);
  const isFresh = nowMs - lastAtMs <= lateMs;
  const skipped = isFresh ? times - 1 : times;
  const noted = withFiring(moved, { dueAtMs, firedAtMs: nowMs, outcome: 'missed', times: skipped });
  return isFresh ? { document: noted, fire: { dueAtMs: lastAtMs } } : { document: noted };
}

/**
 * What of it starts when a job of this schedule may still be at work (`busyJobId`). One time waits at most: the next that
 * would is skipped, and each that is skipped stands in the history with the job that was in its way.
 */
export function meetOverlap({ document, fire }: Due, busyJobId: string | undefined, nowMs: number): Due {
  const { overlap = 'allow', waiting, ...rest } = document;
  if (overlap === 'allow') return fire === undefined ? { document } : { document, fire };
  if (busyJobId === undefined) {
    if (waiting === undefined) return fire === undefined ? { document } : { document, fire };
    // The one that has waited goes first, and the new one waits for it in turn.
    const next = { ...rest, overlap };
    return { document: fire === undefined ? next : { ...next, waiting: fire }, fire: waiting };
  }
  if (fire === undefined) return { document };
  if (overlap === 'queue' && waiting === undefined) return { document: { ...document, waiting: fire } };
  const skipped = { dueAtMs: fire.dueAtMs, firedAtMs: nowMs, outcome: 'skipped', jobId: busyJobId } as const;
  return { document: withFiring(document, skipped) };
}

export function pause(document: ScheduleDocument): ScheduleDocument {
  if (document.state !== 'active') return document;
  const { nextAtMs: _, waiting: __, ...rest } = document;
  return { ...rest, state: 'paused' };
}

/** Goes on with the next time to come: what was due while it was paused was not wanted. */
export function resume(document: ScheduleDocument, nowMs: number): ScheduleDocument {
  if (document.state !== 'paused') return document;
  return moveOn({ ...document, state: 'active' }, nowMs);
}

function moveOn({ nextAtMs: _, ...document }: ScheduleDocument, nowMs: number): ScheduleDocument {
  const nextAtMs = nextTime(document.trigger, nowMs);
  return nextAtMs === undefined ? { ...document, state: 'done' } : { ...document, nextAtMs };
}

/** A coordinator that was away for long has missed more than is worth counting. */
const maxCounted = 10_000;

function countMissed(
  trigger: ScheduleDocument['trigger'],
  firstAtMs: number,
  nowMs: number,
): { times: number; lastAtMs: number } {
  let times = 1;
  let lastAtMs = firstAtMs;
  for (let at = nextTime(trigger, firstAtMs); at !== undefined && at <= nowMs; at = nextTime(trigger, at)) {
    if (times === maxCounted) break;
    times += 1;
    lastAtMs = at;
  }
  return { times, lastAtMs };
}
