import type { JobOutcome } from '../../protocol/event.ts';
import { graceMs, type JobDevice, type JobDocument } from './job-state.ts';

/**
 * The end of a device that has said nothing for too long, or undefined. A device that is connected and silent has the
 * command's own time limit and a grace; one that is away may still come back until the job has expired.
 */
export function overdue(
  job: Pick<JobDocument, 'expiresAtMs' | 'timeoutSeconds'>,
  device: JobDevice,
  connected: boolean,
  nowMs: number,
): { outcome: JobOutcome; reason: string } | undefined {
  const limitMs = job.timeoutSeconds * 1000 + graceMs;
  const lastMs = job.expiresAtMs + limitMs;
  switch (device.state) {
    case 'finished':
      return undefined;
    case 'waiting':
      if (nowMs < job.expiresAtMs) return undefined;
      return { outcome: 'expired', reason: 'its turn did not come before the job expired' };
    case 'queued':
      if (device.wasSent !== true) {
        if (nowMs < job.expiresAtMs) return undefined;
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
  }
}

/** Before this time `overdue` ends nobody like this device, connected or not. */
export function earliestEndMs(job: Pick<JobDocument, 'expiresAtMs' | 'timeoutSeconds'>, device: JobDevice): number {
  const limitMs = job.timeoutSeconds * 1000 + graceMs;
  const lastMs = job.expiresAtMs + limitMs;
  switch (device.state) {
    case 'finished':
      return Number.POSITIVE_INFINITY;
    case 'waiting':
      return job.expiresAtMs;
    case 'queued':
      if (device.wasSent !== true) return job.expiresAtMs;
      return device.sentAtMs === undefined ? lastMs : Math.min(device.sentAtMs + limitMs, lastMs);
    case 'delivered':
      return Math.min(device.atMs + limitMs, lastMs);
    case 'started':
      return device.atMs + limitMs;
  }
}

function silent(what: string): { outcome: JobOutcome; reason: string } {
  return { outcome: 'timed-out', reason: `the device ${what} in time` };
}
