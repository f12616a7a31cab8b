import type { JobOutcome } from '../../protocol/event.ts';
import type { JobDevice } from './job-state.ts';

export const historyLost = "the device came back with a new history: its old one's end is lost";

/** A device that has ended. */
export function finished(device: JobDevice, outcome: JobOutcome, atMs: number, reason: string | undefined): JobDevice {
  const { sentAtMs: _s, reason: _r, heardAtMs: _h, lostAtMs: _l, ...rest } = device;
  return { ...rest, state: 'finished', outcome, atMs, finishedAtMs: atMs, ...(reason === undefined ? {} : { reason }) };
}

/** Ended by the coordinator's own clock or by an operator, not by the device's word. */
export function decidedHere(device: JobDevice): boolean {
  return device.outcome === 'timed-out' || device.outcome === 'unknown' || device.outcome === 'cancelled';
}

/** For --max-failures. A device that never came, or that was cancelled, says nothing about the command. */
export function isFailure(outcome: JobOutcome | undefined): boolean {
  return outcome === 'failed' || outcome === 'timed-out' || outcome === 'unknown' || outcome === 'rejected';
}

/** Why a document that a job has set has no known end. */
export function unsettled({ outcome, reason }: { outcome: JobOutcome; reason: string }): string {
  if (outcome === 'timed-out') return 'its product has not decided on it in time; it stays set';
  if (outcome === 'unknown') return 'sent, then the connection was lost; it stays set, and may be taken up';
  return `${reason}; it was not set there`;
}
