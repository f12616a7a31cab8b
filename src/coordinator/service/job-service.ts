import type { Job, JobRequest, JobRetryRequest } from '../../client/contract/job.ts';
import { FlotillaError } from '../../error.ts';
import { openJob, stepJob } from '../core/job-operation.ts';
import type { Turn } from '../core/turn.ts';
import type { JobDevice, JobDocument } from '../job/job-state.ts';
import { planJob, type PlanContext } from '../job/plan-job.ts';
import type { Caller } from '../operator/caller.ts';
import { viewJob, viewResult } from '../job/view-job.ts';
import { audit, type ServiceContext } from './context.ts';
import { requireContent } from './require-content.ts';
import { countAccepted, matchAccepted } from './target.ts';

export async function startJob(context: ServiceContext, request: JobRequest): Promise<Job> {
  if (request.dryRun !== true) await requireContent(context, request.action);
  return context.core.submit((turn) =>
    beginJob(turn, context, { request, matched: matchAccepted(turn, request.selector), action: 'job.start' }),
  );
}

/**
 * A new job with the same action, on those of the devices that ended in one of these ways and are still accepted. It is
 * what a person asks for: by itself nothing is ever run again.
 */
export async function retryJob(context: ServiceContext, id: string, request: JobRetryRequest): Promise<Job> {
  const row = await context.core.store.document('job', id);
  if (row === undefined) throw unknownJob(id);
  const { outcomes, ...over } = request;
  await requireContent(context, (row.document as JobDocument).action);
  const members = await context.core.store.members('job', id, false);
  const ended = members.filter(({ document }) => {
    const { state, outcome } = document as JobDevice;
    return state === 'finished' && (outcomes as readonly (string | undefined)[]).includes(outcome);
  });
  return context.core.submit((turn) => {
    const matched = ended
      .map(({ deviceId }) => deviceId)
      .filter((deviceId) => turn.state.devices.get(deviceId)?.state === 'accepted')
      .toSorted();
    if (matched.length === 0) {
      throw new FlotillaError('none-matched', 'job-retry-none', `no accepted device of job ${id} has ended so`, {
        seen: `${ended.length} ended as ${outcomes.join(', ')}`,
        suggestion: `flotilla job show ${id}`,
      });
    }
    const again = { ...requestOf(row.document as JobDocument), ...over };
    return beginJob(turn, context, { request: again, matched, action: 'job.retry', origin: { retryOf: id } });
  });
}

/** The one way in which a job comes to be: planned by the safety rules, stored, started, audited. */
export function beginJob(
  turn: Turn,
  context: Pick<ServiceContext, 'newId' | 'jobs' | 'random' | 'returners'> & Caller,
  {
    request,
    matched,
    action,
    origin,
    confirmedShare,
  }: {
    request: JobRequest;
    matched: readonly string[];
    /** Of the audit row. */
    action: 'job.start' | 'job.retry';
    origin?: NonNullable<PlanContext['origin']>;
    confirmedShare?: number;
  },
): Job {
  const job = planJob(request, matched, {
    id: request.dryRun === true ? '' : context.newId('j'),
    policy: context.jobs,
    fleetSize: countAccepted(turn.state),
    submittedBy: context.actor,
    nowMs: turn.nowMs,
    returners: context.returners,
    random: () => context.random(),
    ...(origin === undefined ? {} : { origin }),
    ...(confirmedShare === undefined ? {} : { confirmedShare }),
  });
  const results = [...job.devices].map(({ deviceId, state }) => ({ deviceId, state }));
  if (request.dryRun === true) return { ...viewJob(job.document), results };
  openJob(turn, job);
  const { id, selector, action: does, hold } = job.document;
  const detail = {
    selector,
    matched: job.document.matched,
    action: does,
    ...(hold === undefined ? {} : { hold }),
    ...origin,
  };
  const devices = results.map(({ deviceId }) => deviceId);
  audit(turn, context, action, id, detail, devices);
  return viewJob(turn.state.jobs.get(id)!.document);
}

/** What asked for this job, but for the devices and the safety rules, which are asked about anew. */
export function requestOf(document: JobDocument): JobRequest {
  const { selector, action, hold, rampSeconds, timeoutSeconds, maxOutputBytes, maxFailures, returners } = document;
  return {
    selector,
    action,
    timeoutSeconds,
    maxOutputBytes,
    ...(hold === undefined ? {} : { hold }),
    ...(rampSeconds === undefined ? {} : { rampSeconds }),
    ...(returners === undefined ? {} : { returners }),
    ...(maxFailures === 0 ? {} : { maxFailures }),
  };
}

export async function showJob({ core }: ServiceContext, id: string): Promise<Job> {
  const row = await core.store.document('job', id);
  if (row === undefined) throw unknownJob(id);
  const members = await core.store.members('job', id, true);
  return { ...viewJob(row.document as JobDocument), results: members.map(viewResult) };
}

/** A job that has ended is returned as it is. */
export async function cancelJob(context: ServiceContext, id: string): Promise<Job> {
  const running = await context.core.submit((turn) => {
    const job = turn.state.jobs.get(id);
    if (job === undefined || job.document.state === 'finished') return false;
    if (job.document.rollout !== undefined) throw ofRollout(id, job.document.rollout.id);
    stepJob(turn, id, { kind: 'cancel', reason: `cancelled by ${context.actor}` });
    audit(turn, context, 'job.cancel', id, {});
    return true;
  });
  const row = await context.core.store.document('job', id);
  if (row === undefined && !running) throw unknownJob(id);
  return viewJob(row!.document as JobDocument);
}

/** Asks the devices of a job to tell what it writes while it runs. One that has ended is returned as it is. */
export async function askOutput(context: ServiceContext, id: string): Promise<Job> {
  await context.core.submit((turn) => {
    const job = turn.state.jobs.get(id);
    if (job === undefined || job.document.state === 'finished' || job.document.follow === true) return;
    stepJob(turn, id, { kind: 'follow' });
    audit(turn, context, 'job.follow', id, {});
  });
  const row = await context.core.store.document('job', id);
  if (row === undefined) throw unknownJob(id);
  return viewJob(row.document as JobDocument);
}

/** Else the rollout would wait for what nobody begins. */
function ofRollout(id: string, rolloutId: string): FlotillaError {
  return new FlotillaError('refused', 'job-of-rollout', `job ${id} is carried out by a rollout`, {
    seen: rolloutId,
    suggestion: `flotilla rollout abort ${rolloutId}`,
  });
}

export function unknownJob(id: string): FlotillaError {
  return new FlotillaError('usage', 'job-unknown', `there is no job ${id}`, {
    seen: id,
    suggestion: 'flotilla job list',
  });
}
