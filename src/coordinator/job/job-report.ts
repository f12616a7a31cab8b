import type { JobEvent } from '../../protocol/event.ts';
import type { JobDevice } from './job-state.ts';

/** What goes beside the device's row, not into memory. */
export function outputOf(event: JobEvent): JobOutput | undefined {
  const restore = event.restore === undefined ? undefined : textOf(event.restore);
  const output: JobOutput = { ...textOf(event), ...(restore === undefined ? {} : { restore }) };
  return Object.keys(output).length === 0 ? undefined : output;
}

interface JobText {
  stdout?: string;
  stderr?: string;
}

export type JobOutput = JobText & { restore?: JobText };

function textOf({ stdout, stderr }: JobText): JobText | undefined {
  if (stdout === undefined && stderr === undefined) return undefined;
  return { ...(stdout === undefined ? {} : { stdout }), ...(stderr === undefined ? {} : { stderr }) };
}

/** Of an action that has ended, what stands in the device's row. */
export function endOf(event: JobEvent): Partial<JobDevice> {
  const { exitCode, signal, truncatedBytes, startedAtMs, file } = event;
  return {
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(signal === undefined ? {} : { signal }),
    ...(truncatedBytes === undefined ? {} : { truncatedBytes }),
    ...(startedAtMs === undefined ? {} : { startedAtMs }),
    ...(file === undefined ? {} : { file }),
  };
}

export function restoreOf({ restore }: JobEvent): Partial<JobDevice> {
  if (restore === undefined) return {};
  const { stdout: _o, stderr: _e, ...rest } = restore;
  return { restore: rest };
}
