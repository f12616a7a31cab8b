import type { JobRun, JobStart } from '../../protocol/request.ts';

/** A job of the first form: a command. */
export function asRun({ argv, shell, ...rest }: JobStart): JobRun {
  return { ...rest, action: { kind: 'command', argv, shell } };
}

/** What a line of the agent's own log says of a job. */
export function aboutJob(job: JobRun | Pick<JobRun, 'jobId'>): object {
  if (!('action' in job)) return { job: job.jobId };
  const { jobId, action, submittedBy } = job;
  const program = action.kind === 'command' ? { program: action.argv[0] } : {};
  return { job: jobId, kind: action.kind, ...program, by: submittedBy };
}

type Present<T> = { [K in keyof T]: Exclude<T[K], undefined> };

/** Without the members that are undefined: those are not there in JSON either. */
export function dropAbsent<T extends object>(value: T): Present<T> {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as Present<T>;
}
