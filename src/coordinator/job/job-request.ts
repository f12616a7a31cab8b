import type { NewRequest } from '../effect.ts';
import type { JobDevice, JobDocument } from './job-state.ts';

/** Does a device need `job.run` for it? `job.start` can say a command alone, and every agent takes it. */
export function needsRun({ action, hold, rampSeconds }: Pick<JobDocument, 'action' | 'hold' | 'rampSeconds'>): boolean {
  return action.kind !== 'command' || hold !== undefined || rampSeconds !== undefined;
}

export function jobRequest(document: JobDocument, { startAtMs }: Pick<JobDevice, 'startAtMs'>): NewRequest {
  const { id, action, hold, timeoutSeconds, expiresAtMs, maxOutputBytes, submittedBy } = document;
  const shared = { jobId: id, timeoutSeconds, expiresAtMs, maxOutputBytes, submittedBy };
  if (action.kind === 'command' && !needsRun(document)) {
    const payload = { ...shared, argv: action.argv, shell: action.shell ?? false };
    return { type: 'job.start', key: id, payload, expiresAtMs };
  }
  const payload = {
    ...shared,
    action,
    ...(hold === undefined ? {} : { hold }),
    ...(startAtMs === undefined ? {} : { startAtMs }),
  };
  return { type: 'job.run', key: id, payload, expiresAtMs };
}
