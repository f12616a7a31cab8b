import type { CoordinatorClient } from '../client/coordinator-client.ts';
import type { DeviceResult, Job, JobFollowRow } from '../client/contract/index.ts';
import { FlotillaError } from '../error.ts';

/** Follows a job to its end, calling `onRow` for each row; resolves with the finished job. */
export async function followJob(
  client: Pick<CoordinatorClient, 'followJob'>,
  id: string,
  onRow: (row: JobFollowRow) => void,
  signal: AbortSignal,
  output = false,
): Promise<Job> {
  let last: Job | undefined;
  for await (const row of client.followJob(id, signal, output ? { output } : {})) {
    onRow(row);
    if (row.kind === 'job') last = row.job;
  }
  if (last?.state === 'finished') return last;
  throw new FlotillaError('unreachable', 'follow-ended', 'the coordinator stopped answering before the job ended', {
    seen: `the stream of job ${id} ended early`,
    suggestion: `the job goes on with the coordinator; flotilla job wait ${id}`,
  });
}

/** What is known of a job while it runs: the newest result of each device. */
export class JobProgress {
  readonly results = new Map<string, DeviceResult>();
  readonly matched: number;

  constructor(matched: number) {
    this.matched = matched;
  }

  /** True when this result is the end of the device's action, or of what took it back, seen for the first time. */
  take(result: DeviceResult): boolean {
    const before = this.results.get(result.deviceId);
    this.results.set(result.deviceId, result);
    return (result.state === 'finished' || result.state === 'holding') && before?.state !== result.state;
  }

  /** Finished devices by outcome, the others by state. */
  counts(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { state, outcome } of this.results.values()) {
      const name = state === 'finished' ? (outcome ?? 'unknown') : state;
      counts[name] = (counts[name] ?? 0) + 1;
    }
    const unseen = this.matched - this.results.size;
    if (unseen > 0) counts['waiting'] = (counts['waiting'] ?? 0) + unseen;
    return counts;
  }

  finished(): number {
    let count = 0;
    for (const { state } of this.results.values()) if (state === 'finished') count += 1;
    return count;
  }
}
