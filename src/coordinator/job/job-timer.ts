import type { JobOutcome } from '../../protocol/event.ts';
import { jobBeatMs } from '../../protocol/job-beat.ts';
import { graceMs, type JobDevice, type JobDocument } from './job-state.ts';

type Timed = Pick<JobDocument, 'expiresAtMs' | 'timeoutSeconds' | 'hold' | 'rollout'>;

/**
 * The end of a device that has said nothing for too long, or undefined. A device that is connected and silent has the
 * command's own time limit and a grace; one that is away may still come back until the job has expired.
 */
export function overdue(
  job: Timed,
  device: JobDevice,
  connected: boolean,
  nowMs: number,
): { outcome: JobOutcome; reason: string } | undefined {
  const limitMs = limitOf(job, device);
  const { expiresAtMs = job.expiresAtMs } = device;
  const lastMs = expiresAtMs + limitMs;
  switch (device.state) {
    case 'finished':
      return undefined;
    case 'waiting':
      // Until its turn comes the rollout waits for it.
      if (job.rollout !== undefined || nowMs < expiresAtMs) return undefined;
      return { outcome: 'expired', reason: 'its turn did not come before the job expired' };
    case 'queued':
      if (device.wasSent !== true) {
        if (nowMs < expiresAtMs) return undefined;
        return { outcome: 'expired', reason: 'the device did not connect before the job expired' };
      }
      if (device.sentAtMs !== undefined && nowMs >= device.sentAtMs + limitMs) return silent('never confirmed the job');
      if (nowMs < lastMs) return undefined;
      return { outcome: 'unknown', reason: 'sent, then the connection was lost; whether it ran is not known' };
    case 'delivered':
      if (connected && nowMs >= device.atMs + limitMs) return silent('confirmed the job and did not start it');
      if (nowMs < lastMs) return undefined;
      return { outcome: 'unknown', reason: 'delivered, then the connection was lost; whether it ran is not known' };
    case 'started':
      if (nowMs < device.atMs + limitMs) return undefined;
      if (connected) return silent('started the command and told no end');
      return { outcome: 'unknown', reason: 'started, then the connection was lost; its end is not known' };
    case 'holding': {
      const holdMs = (job.hold?.forSeconds ?? 0) * 1000;
      if (nowMs < device.atMs + holdMs + limitMs || (!connected && nowMs < lastMs + holdMs)) return undefined;
      if (connected) return silent('was to take it back by itself and told no end of that');
      return { outcome: 'unknown', reason: 'held, then the connection was lost; it takes it back by itself' };
    }
  }
}

/**
 * Before this time `overdue` ends nobody like this device, connected or not: what is added to one of them is added to
 * the other.
 */
export function earliestEndMs(job: Timed, device: JobDevice): number {
  const limitMs = limitOf(job, device);
  const { expiresAtMs = job.expiresAtMs } = device;
  const lastMs = expiresAtMs + limitMs;
  switch (device.state) {
    case 'finished':
      return Number.POSITIVE_INFINITY;
    case 'waiting':
      return job.rollout === undefined ? expiresAtMs : Number.POSITIVE_INFINITY;
    case 'queued':
      if (device.wasSent !== true) return expiresAtMs;
      return device.sentAtMs === undefined ? lastMs : Math.min(device.sentAtMs + limitMs, lastMs);
    case 'delivered':
      return Math.min(device.atMs + limitMs, lastMs);
    case 'started':
      return device.atMs + limitMs;
    case 'holding':
      return device.atMs + (job.hold?.forSeconds ?? 0) * 1000 + limitMs;
  }
}

/** Three signs of life in a row that did not come, and time for them on the way. */
const silentMs = 3 * jobBeatMs + 2 * graceMs;

/**
 * Has it said nothing for so long that its place in the window goes to another? A running job tells so every `jobBeatMs`
 * where its agent knows how (`tells`), and a request is confirmed at once. Nothing else is decided by that: what it tells
 * later counts, and its time is what it was.
 */
export function isSilent(device: JobDevice, tells: boolean, nowMs: number): boolean {
  if (device.state === 'queued') return device.sentAtMs !== undefined && nowMs >= device.sentAtMs + silentMs;
  if (device.state !== 'started' || !tells) return false;
  return nowMs >= Math.max(device.atMs, device.heardAtMs ?? 0) + silentMs;
}

/** Of the action on the device; until it starts, with the time to its place in the ramp. */
function limitOf({ timeoutSeconds }: Pick<JobDocument, 'timeoutSeconds'>, device: JobDevice): number {
  const rampMs = device.state === 'started' ? 0 : Math.max(0, (device.startAtMs ?? 0) - device.atMs);
  return timeoutSeconds * 1000 + graceMs + rampMs;
}

function silent(what: string): { outcome: JobOutcome; reason: string } {
  return { outcome: 'timed-out', reason: `the device ${what} in time` };
}
