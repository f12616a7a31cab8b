import type { Job, JobRequest } from '../../client/contract/job.ts';
import { FlotillaError } from '../../error.ts';
import { openJob, stepJob } from '../core/job-operation.ts';
import type { JobDocument } from '../job/job-state.ts';
import { planJob } from '../job/plan-job.ts';
import { viewJob, viewResult } from '../job/view-job.ts';
import { audit, type ServiceContext } from './context.ts';
import { requireContent } from './require-content.ts';
import { countAccepted, matchAccepted } from './target.ts';

/** Jobs in a list. */
const maxListed = 200;

export async function startJob(context: ServiceContext, request: JobRequest): Promise<Job> {
  if (request.dryRun !== true) await requireContent(context, request.action);
  return context.core.submit((turn) => {
    const job = planJob(request, matchAccepted(turn, request.selector), {
      id: request.dryRun === true ? '' : context.newId('j'),
      policy: context.jobs,
      fleetSize: countAccepted(turn.state),
      submittedBy: context.actor,
      nowMs: turn.nowMs,
      random: () => context.random(),
    });
    const results = [...job.devices].map(({ deviceId, state }) => ({ deviceId, state }));
    if (request.dryRun === true) return { ...viewJob(job.document), results };
    openJob(turn, job);
    const { id, matched, action, hold } = job.document;
    const detail = { selector: request.selector, matched, action, ...(hold === undefined ? {} : { hold }) };
    audit(
      turn,
      context,
      'job.start',
      id,
      detail,
      [...job.devices].map(({ deviceId }) => deviceId),
    );
    return viewJob(turn.state.jobs.get(id)!.document);
  });
}

/** The newest first. */
export async function listJobs({ core }: ServiceContext): Promise<Job[]> {
  return (await core.store.documents('job', maxListed)).map(({ document }) => viewJob(document as JobDocument));
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
    stepJob(turn, id, { kind: 'cancel', reason: `cancelled by ${context.actor}` });
    audit(turn, context, 'job.cancel', id, {});
    return true;
  });
  const row = await context.core.store.document('job', id);
  if (row === undefined && !running) throw unknownJob(id);
  return viewJob(row!.document as JobDocument);
}

export function unknownJob(id: string): FlotillaError {
  return new FlotillaError('usage', 'job-unknown', `there is no job ${id}`, {
    seen: id,
    suggestion: 'flotilla job list',
  });
}
