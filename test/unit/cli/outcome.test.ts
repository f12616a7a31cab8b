import { describe, expect, it } from 'vitest';
import { agentOrderExitCode } from '../../../src/cli/agent-order-exit-code.ts';
import { exitCodeOf } from '../../../src/cli/exit-code.ts';
import { followJob, JobProgress } from '../../../src/cli/follow-job.ts';
import { jobExitCode } from '../../../src/cli/job-exit-code.ts';
import { rolloutExitCode } from '../../../src/cli/rollout-exit-code.ts';
import type { DeviceResult, Job, JobFollowRow } from '../../../src/client/contract/index.ts';
import { job } from './sample.ts';

describe('the exit code of a job', () => {
  it.each([
    [{ succeeded: 3 }, 3, 0],
    [{ succeeded: 2, failed: 1 }, 3, 4],
    [{ succeeded: 2, rejected: 1 }, 3, 4],
    [{ succeeded: 2, cancelled: 1 }, 3, 4],
    [{ failed: 2, 'timed-out': 1 }, 3, 5],
    [{ succeeded: 2, expired: 1 }, 3, 5],
    [{ succeeded: 2, unknown: 1 }, 3, 5],
    [{}, 0, 3],
    [{ succeeded: 2 }, 3, 4],
  ])('%j of %d is %d', (counts, matched, code) => {
    expect(jobExitCode({ matched, counts })).toBe(code);
  });
});

describe('the exit code of an order to update agents', () => {
  it.each([
    [['sent', 'waiting', 'current'], [], 0],
    [['sent', 'busy'], [], 4],
    [['sent', 'sent'], ['committed', 'committed'], 0],
    [['sent', 'too-old'], ['committed'], 4],
    [['sent', 'sent'], ['committed', 'rolled-back'], 4],
    [['sent'], ['rejected'], 4],
    [['sent', 'sent'], ['failed', 'testing'], 5],
    [['sent'], ['offered'], 5],
    [['sent'], ['expired'], 5],
    [['sent'], ['gone'], 5],
  ] as const)('%j that end as %j is %d', (ordered, ended, code) => {
    const devices = ordered.map((state) => ({ deviceId: 'd', state }));
    const outcomes = ended.map((state) => ({ deviceId: 'd', state }));
    expect(agentOrderExitCode({ devices, outcomes })).toBe(code);
  });
});

describe('the exit code of a rollout that was waited for', () => {
  it.each([
    ['completed', { committed: 2, already: 1 }, 0],
    ['completed', { committed: 2, 'rolled-back': 1 }, 4],
    ['completed', { committed: 2, 'timed-out': 1 }, 5],
    ['halted', { committed: 2, failed: 1, waiting: 4 }, 4],
    ['aborted', { committed: 2, cancelled: 4 }, 4],
    ['paused', { committed: 2 }, 4],
  ] as const)('%s with %j is %d', (state, counts, code) => {
    expect(rolloutExitCode({ state, counts })).toBe(code);
  });
});

describe('the exit code of a fault', () => {
  it('is its own for each', () => {
    const faults = ['ours', 'usage', 'none-matched', 'failed', 'refused', 'unreachable', 'forbidden'] as const;
    expect(faults.map(exitCodeOf)).toEqual([1, 2, 3, 4, 6, 7, 8]);
  });
});

describe('following a job', () => {
  const signal = new AbortController().signal;
  async function* rowsOf(rows: JobFollowRow[]) {
    yield* rows;
  }

  it('ends with the finished job', async () => {
    const seen: JobFollowRow[] = [];
    const last = await followJob(
      {
        followJob: () =>
          rowsOf([
            { kind: 'job', job: { ...job, state: 'running' } },
            { kind: 'job', job },
          ]),
      },
      job.id,
      (row) => seen.push(row),
      signal,
    );
    expect([last.state, seen.length]).toEqual(['finished', 2]);
  });

  it('says how to go on when the stream ends early', async () => {
    const running: Job = { ...job, state: 'running' };
    const ended = followJob({ followJob: () => rowsOf([{ kind: 'job', job: running }]) }, job.id, () => {}, signal);
    await expect(ended).rejects.toMatchObject({
      fault: 'unreachable',
      detail: { suggestion: expect.stringContaining(`flotilla job wait ${job.id}`) },
    });
  });
});

describe('the progress of a job', () => {
  it('tells each end once and counts those that were not heard of as waiting', () => {
    const progress = new JobProgress(3);
    const started: DeviceResult = { deviceId: 'a', state: 'started' };
    const finished: DeviceResult = { deviceId: 'a', state: 'finished', outcome: 'succeeded' };
    expect([progress.take(started), progress.take(finished), progress.take(finished)]).toEqual([false, true, false]);
    expect(progress.counts()).toEqual({ succeeded: 1, waiting: 2 });
    expect(progress.finished()).toBe(1);
  });
});
