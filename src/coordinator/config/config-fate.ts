import type { JobOutcome } from '../../protocol/event.ts';
import { isRejected, isTakenUp, type ConfigDocument } from './config-document.ts';

/** What a job that has set a document knows of it: on the device, or how it has ended there. */
export type ConfigFate = { reached: 'device' } | { outcome: JobOutcome; reason?: string };

/** Undefined: it is on its way. A later version that a merge with the device's own changes has made is still the job's. */
export function configFate(config: ConfigDocument, jobId: string): ConfigFate | undefined {
  const { desired, contest, rejection, deliveredVersion } = config;
  if (desired?.jobId !== jobId) {
    const by = desired === undefined ? 'somebody' : `${desired.setBy} (version ${desired.version})`;
    return { outcome: 'cancelled', reason: `it was set anew meanwhile by ${by}` };
  }
  if (contest !== undefined) {
    const paths = contest.conflicts.map(({ path }) => path).join(', ');
    return { outcome: 'failed', reason: `changed on both sides: ${paths}`.slice(0, maxReasonLength) };
  }
  if (isTakenUp(config)) return { outcome: 'succeeded' };
  if (isRejected(config)) {
    return { outcome: 'rejected', reason: rejection?.reason ?? 'the product would not take it' };
  }
  return deliveredVersion >= desired.version ? { reached: 'device' } : undefined;
}

const maxReasonLength = 256;
