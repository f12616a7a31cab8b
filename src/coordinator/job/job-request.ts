import type { NewRequest } from '../effect.ts';
import { fillAction, type ValueOf } from './argument-template.ts';
import type { CommandAction, JobAction } from '../../protocol/job-action.ts';
import type { JobDevice, JobDocument } from './job-state.ts';

/** Does a device need `job.run` for it? `job.start` can say a command alone, and every agent takes it. */
export function needsRun({ action, hold, rampSeconds }: Pick<JobDocument, 'action' | 'hold' | 'rampSeconds'>): boolean {
  return action.kind !== 'command' || hold !== undefined || rampSeconds !== undefined;
}

/** @throws ValueMissing when the device has nothing for a key in an argument */
export function jobRequest(
  document: Omit<JobDocument, 'action'> & { action: JobAction },
  { startAtMs, expiresAtMs = document.expiresAtMs }: Pick<JobDevice, 'startAtMs' | 'expiresAtMs'>,
  valueOf: ValueOf,
): NewRequest {
  const { id, hold, timeoutSeconds, maxOutputBytes, submittedBy } = document;
  const action = fillAction(document.action, valueOf);
  const shared = { jobId: id, timeoutSeconds, expiresAtMs, maxOutputBytes, submittedBy };
  if (action.kind === 'command' && !needsRun(document)) {
    const payload = { ...shared, argv: action.argv, shell: action.shell ?? false };
    return { type: 'job.start', key: id, payload, expiresAtMs };
  }
  const payload = {
    ...shared,
    action,
    ...(hold === undefined ? {} : { hold: { ...hold, restore: fillCommand(hold.restore, valueOf) } }),
    ...(startAtMs === undefined ? {} : { startAtMs }),
  };
  return { type: 'job.run', key: id, payload, expiresAtMs };
}

/** It must reach a device for as long as the job may still run there. */
export function cancelRequest({ id, timeoutSeconds, expiresAtMs, hold }: JobDocument, nowMs: number): NewRequest {
  const runsMs = (timeoutSeconds + (hold?.forSeconds ?? 0)) * 1000;
  return { type: 'job.cancel', key: id, payload: { jobId: id }, expiresAtMs: Math.max(expiresAtMs, nowMs) + runsMs };
}

export function followRequest({ id, expiresAtMs }: JobDocument): NewRequest {
  return { type: 'job.follow', key: id, payload: { jobId: id }, expiresAtMs };
}

function fillCommand(action: CommandAction, valueOf: ValueOf): CommandAction {
  return fillAction(action, valueOf) as CommandAction;
}

/** What an older agent does not take. */
export function formOf({ action, hold, rampSeconds }: Pick<JobDocument, 'action' | 'hold' | 'rampSeconds'>): string {
  if (hold !== undefined) return 'jobs with an action behind --then';
  return rampSeconds === undefined ? `${action.kind} jobs` : 'jobs with a ramp';
}
