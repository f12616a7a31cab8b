import type { CoordinatorClient } from '../client/coordinator-client.ts';
import type { Job, JobFollowRow } from '../client/contract/index.ts';
import { followJob, JobProgress } from './follow-job.ts';
import { untilInterrupted } from './interrupt.ts';
import { LiveBlock } from './live-block.ts';
import { formatJobProgress, formatResult } from './render/job.ts';
import { stdoutOption } from './terminal.ts';

const repaintMs = 200;

export interface WaitOutput {
  json: boolean;
  emit: (row: JobFollowRow) => void;
  print: (text: string) => void;
}

/**
 * Follows a job to its end: rows as NDJSON, or each device's result as it comes with a live block below on a terminal.
 * Undefined when the person left by Ctrl-C; the job runs on.
 */
export async function waitJob(client: CoordinatorClient, job: Job, output: WaitOutput): Promise<Job | undefined> {
  const progress = new JobProgress(job.matched);
  const block = new LiveBlock();
  const repaint = () => block.paint(formatJobProgress(job, progress, Date.now()));
  const timer = !output.json && block.live ? setInterval(repaint, repaintMs) : undefined;
  const onRow = (row: JobFollowRow) => {
    if (output.json) return output.emit(row);
    if (row.kind !== 'result' || !progress.take(row.result)) return;
    block.above(() => output.print(formatResult(row.result, stdoutOption())));
  };
  try {
    const ended = await untilInterrupted((signal) => followJob(client, job.id, onRow, signal));
    if (!ended.interrupted) return ended.value;
  } finally {
    clearInterval(timer);
    block.clear();
  }
  process.stderr.write(`\ndetached; the job runs on. Look again with: flotilla job wait ${job.id}\n`);
  return undefined;
}
