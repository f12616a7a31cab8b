import type { DeviceJob, DeviceResult, Job, JobListQuery } from '../../client/contract/job.ts';
import type { JobDocument } from '../job/job-state.ts';
import { viewJob, viewResult } from '../job/view-job.ts';
import type { ServiceContext } from './context.ts';
import { unknownJob } from './job-service.ts';

const defaultListed = 200;
const defaultHistory = 50;
/** Results read from the store at a time: each may have its output with it. */
const pageResults = 100;

/** The newest first. */
export async function listJobs({ core }: ServiceContext, query: JobListQuery): Promise<Job[]> {
  const rows = await core.store.jobs({ limit: defaultListed, ...query });
  return rows.map(({ document }) => viewJob(document as JobDocument));
}

/** What a device was part of, the newest first; also of one that is no longer known. */
export async function listDeviceJobs(
  { core }: ServiceContext,
  deviceId: string,
  limit = defaultHistory,
): Promise<DeviceJob[]> {
  const rows = await core.store.deviceJobs(deviceId, limit);
  return rows.map(({ job, member }) => ({ job: viewJob(job as JobDocument), result: viewResult(member) }));
}

/** Page by page, so that a large job with large outputs is never in memory whole. */
export async function exportResults({ core }: ServiceContext, id: string): Promise<AsyncGenerator<DeviceResult>> {
  if ((await core.store.document('job', id)) === undefined) throw unknownJob(id);
  return pages(core, id);
}

async function* pages(core: ServiceContext['core'], id: string): AsyncGenerator<DeviceResult> {
  for (let from = 0; ;) {
    const members = await core.store.jobDevices(id, from, pageResults);
    for (const member of members) yield viewResult(member);
    if (members.length < pageResults) return;
    from = members.at(-1)!.position + 1;
  }
}
