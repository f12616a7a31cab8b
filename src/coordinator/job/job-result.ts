import type { Effect } from '../effect.ts';
import type { JobDocument } from './job-state.ts';

/** A row of the coordinator's own in the event log: a device of a job has ended, and somebody wants to know. */
export const jobResultType = 'coordinator.job-result';

export interface JobResultPayload {
  jobId: string;
  /** Of the device in the job: its result, with the output, is read from there. */
  position: number;
  outcome: string;
  returners: string[];
}

/** Only for jobs with a returner: the others cost nothing. */
export function resultEvent(
  { id, returners = [] }: Pick<JobDocument, 'id' | 'returners'>,
  deviceId: string,
  position: number,
  outcome: string,
): Effect | undefined {
  if (returners.length === 0) return undefined;
  const payload: JobResultPayload = { jobId: id, position, outcome, returners };
  return { kind: 'event', deviceId, type: jobResultType, key: id, payload: { ...payload } };
}
