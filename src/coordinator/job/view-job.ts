import type { DeviceResult, Job } from '../../client/contract/job.ts';
import type { MemberRow } from '../../store/row.ts';
import type { JobDevice, JobDocument } from './job-state.ts';

/** The job as the API shows it, without results. */
export function viewJob(document: JobDocument): Job {
  const {
    id,
    selector,
    action,
    hold,
    rampSeconds,
    submittedBy,
    submittedAtMs,
    expiresAtMs,
    timeoutSeconds,
    state,
    matched,
    counts,
  } = document;
  return {
    id,
    selector,
    action,
    ...(hold === undefined ? {} : { hold }),
    ...(rampSeconds === undefined ? {} : { rampSeconds }),
    ...(document.follow === undefined ? {} : { follow: document.follow }),
    submittedBy,
    submittedAtMs,
    expiresAtMs,
    timeoutSeconds,
    state,
    ...(document.finishedAtMs === undefined ? {} : { finishedAtMs: document.finishedAtMs }),
    ...(document.stopped === undefined ? {} : { stopped: document.stopped }),
    ...(document.retryOf === undefined ? {} : { retryOf: document.retryOf }),
    ...(document.returners === undefined ? {} : { returners: document.returners }),
    ...(document.schedule === undefined ? {} : { schedule: document.schedule }),
    ...(document.rollout === undefined ? {} : { rollout: document.rollout.id }),
    matched,
    counts,
  };
}

export function viewResult(member: MemberRow): DeviceResult {
  const { atMs: _a, sentAtMs: _s, wasSent: _w, late: _l, expiresAtMs: _e, ...device } = member.document as JobDevice;
  const { restore, ...output } = (member.output ?? {}) as { stdout?: string; stderr?: string; restore?: object };
  return {
    ...device,
    ...output,
    ...(device.restore === undefined ? {} : { restore: { ...device.restore, ...restore } }),
  };
}
