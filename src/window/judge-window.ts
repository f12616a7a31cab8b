import type { Cron } from 'croner';
import { cronOf, isZone } from './opening.ts';
import { deviceZone as ownZone, type Window } from './window.ts';

/** Openings that run into each other: with more of them than that in a row the window never closes. */
const maxJoined = 2_000;

/**
 * Is it open? From an opening on, and until its duration has passed. Openings that overlap or touch are one. A window
 * in the device's own zone is closed for a device whose zone is not known.
 * @param deviceZone IANA name; only read for a window whose zone is `device`
 */
export function isOpen(window: Window, nowMs: number, deviceZone?: string): boolean {
  const cron = readCron(window, deviceZone);
  return cron !== undefined && openedSince(cron, window, nowMs) !== undefined;
}

/** When it opens next; undefined when it never does: it is always open, or it can't be judged. */
export function nextOpening(window: Window, nowMs: number, deviceZone?: string): number | undefined {
  const cron = readCron(window, deviceZone);
  if (cron === undefined) return undefined;
  const opened = openedSince(cron, window, nowMs);
  const closed = opened === undefined ? nowMs : closingAfter(cron, window, opened);
  return closed === undefined ? undefined : nextAfter(cron, closed);
}

/** When it closes next, counted from now or from its next opening; undefined when it never does. */
export function nextClosing(window: Window, nowMs: number, deviceZone?: string): number | undefined {
  const cron = readCron(window, deviceZone);
  if (cron === undefined) return undefined;
  const opening = openedSince(cron, window, nowMs) ?? nextAfter(cron, nowMs);
  return opening === undefined ? undefined : closingAfter(cron, window, opening);
}

function readCron({ cron, zone }: Window, deviceZone: string | undefined): Cron | undefined {
  if (zone !== ownZone) return cronOf(cron, zone);
  return deviceZone === undefined || !isZone(deviceZone) ? undefined : cronOf(cron, deviceZone);
}

/** The first opening that still holds the window open now. */
function openedSince(cron: Cron, { durationSeconds }: Window, nowMs: number): number | undefined {
  const opening = nextAfter(cron, nowMs - durationSeconds * 1000);
  return opening === undefined || opening > nowMs ? undefined : opening;
}

function closingAfter(cron: Cron, { durationSeconds }: Window, openingMs: number): number | undefined {
  let closing = openingMs + durationSeconds * 1000;
  for (let joined = 0; joined < maxJoined; joined += 1) {
    // The last opening that is not after the closing is the one that counts.
    const last = cron.previousRuns(1, new Date(closing + 1000))[0]?.getTime();
    if (last === undefined || last + durationSeconds * 1000 <= closing) return closing;
    closing = last + durationSeconds * 1000;
  }
  return undefined;
}

function nextAfter(cron: Cron, afterMs: number): number | undefined {
  return cron.nextRun(new Date(afterMs))?.getTime();
}
