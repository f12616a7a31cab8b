import type { CoordinatorClient } from '../client/coordinator-client.ts';
import type { DeviceResult, Job, JobFollowRow } from '../client/contract/index.ts';
import { followJob, JobProgress } from './follow-job.ts';
import { untilInterrupted } from './interrupt.ts';
import { LiveBlock } from './live-block.ts';
import { LiveLines, type LiveLine } from './live-lines.ts';
import { formatJobProgress, formatResult } from './render/job.ts';
import { formatLiveLines } from './render/live-line.ts';
import { stdoutOption } from './terminal.ts';

const repaintMs = 200;

export interface WaitOutput {
  json: boolean;
  /** Show what devices write as it comes. */
  follow?: boolean;
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
  const live = output.follow === true ? new LiveLines() : undefined;
  const onRow = (row: JobFollowRow) => {
    if (output.json) return output.emit(row);
    const option = stdoutOption();
    if (row.kind === 'output') {
      const lines = [...(live?.take(row.output) ?? [])];
      if (lines.length > 0) block.above(() => output.print(formatLiveLines(lines, option)));
      return;
    }
    if (row.kind !== 'result' || !progress.take(row.result)) return;
    block.above(() => output.print(live === undefined ? formatResult(row.result, option) : restOf(live, row.result)));
  };
  try {
    const ended = await untilInterrupted((signal) => followJob(client, job.id, onRow, signal, output.follow));
    if (!ended.interrupted) return ended.value;
  } finally {
    clearInterval(timer);
    block.clear();
  }
  process.stderr.write(`\ndetached; the job runs on. Look again with: flotilla job wait ${job.id}\n`);
  return undefined;
}

/** What was not shown of a device's output yet, then how it ended. */
function restOf(live: LiveLines, result: DeviceResult): string {
  const option = stdoutOption();
  const lines: LiveLine[] = [];
  const rest = live.end(result);
  let step = rest.next();
  for (; step.done !== true; step = rest.next()) lines.push(step.value);
  const { stdout: _out, stderr: _err, ...end } = result;
  return formatLiveLines(lines, option) + formatResult(step.value.whole ? result : end, option);
}
