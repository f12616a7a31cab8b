import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ContentCache } from '../../../src/agent/executor/content-cache.ts';
import { Executor } from '../../../src/agent/executor/executor.ts';
import { sectionPolicy, type JobSection } from '../../../src/agent/executor/job-policy.ts';
import { createActions } from '../../../src/agent/executor/perform-action.ts';
import { WaitingProcess } from '../../../src/agent/machine/waiting-process.ts';
import type { JobEvent } from '../../../src/protocol/event.ts';
import { Lane } from '../../../src/protocol/lane.ts';
import type { JobStart } from '../../../src/protocol/request.ts';
import { agentParts, type AgentParts } from '../../support/agent-parts.ts';
import { eventually } from '../../support/eventually.ts';

const policy: JobSection = { allow: ['*'], shell: true, maxOutputBytes: 1_000, maxConcurrent: 2, timeoutSeconds: 20 };

const job = (jobId: string, argv: string[], more: Partial<JobStart> = {}): JobStart => ({
  jobId,
  argv,
  shell: false,
  timeoutSeconds: 10,
  expiresAtMs: Date.now() + 60_000,
  maxOutputBytes: 100_000,
  submittedBy: 'test',
  ...more,
});

const events = (parts: AgentParts) => parts.events<JobEvent>(Lane.control, 'flotilla.job');
const accept = ({ log }: AgentParts, executor: Executor, request: JobStart): void =>
  log.transact(() => executor.accept(request))();
/** A machine that stays up, or that has been off in between. */
const bootTime = (bootId = 'boot-1') => ({ bootId: () => bootId, uptimeMs: () => performance.now() });

function finished(parts: AgentParts, jobId: string): Promise<JobEvent> {
  return eventually(
    `${jobId} has finished`,
    () => events(parts).find((event) => event.jobId === jobId && event.state === 'finished'),
    { everyMs: 5 },
  );
}

function executorOf(parts: AgentParts, change: Partial<JobSection> = {}, machine = bootTime()): Executor {
  const allowed = sectionPolicy({ ...policy, ...change });
  const content = new ContentCache({ directory: join(parts.dir, 'content'), link: parts.link });
  const perform = createActions({
    ...parts,
    content,
    waiting: new WaitingProcess(parts),
    rebootCommand: ['true'],
    rebootHold: () => undefined,
    refreshGrains: () => Promise.resolve(),
  });
  const executor = new Executor({ ...parts, machine, perform, content, policy: () => allowed });
  executor.start();
  return executor;
}

describe('a job on a device', () => {
  it('ends with its exit code and outputs, in one event', async () => {
    await using parts = await agentParts();
    const executor = executorOf(parts);
    accept(parts, executor, job('ok', ['printf', '%s', 'a b $(id)']));
    accept(parts, executor, job('bad', ['echo out; echo err >&2; exit 3'], { shell: true }));
    expect(await finished(parts, 'ok')).toMatchObject({
      outcome: 'succeeded',
      exitCode: 0,
      stdout: 'a b $(id)',
      truncatedBytes: 0,
    });
    expect(await finished(parts, 'bad')).toMatchObject({
      outcome: 'failed',
      exitCode: 3,
      stdout: 'out\n',
      stderr: 'err\n',
    });
    expect(events(parts).map(({ state }) => state)).toEqual(['finished', 'finished']);
    await executor.stop();
  });

  it('fails with the reason when the program does not exist', async () => {
    await using parts = await agentParts();
    const executor = executorOf(parts);
    accept(parts, executor, job('none', ['no-such-program-here']));
    const end = await finished(parts, 'none');
    expect(end.outcome).toBe('failed');
    expect(end.reason).toContain('ENOENT');
    await executor.stop();
  });

  it('is run once, however often its request comes, also by another process', async () => {
    await using parts = await agentParts();
    const file = join(parts.dir, 'ran');
    const executor = executorOf(parts);
    for (let copy = 0; copy < 3; copy++) accept(parts, executor, job('once', [`echo x >> ${file}`], { shell: true }));
    await finished(parts, 'once');
    await executor.stop();
    const next = executorOf(parts);
    accept(parts, next, job('once', [`echo x >> ${file}`], { shell: true }));
    accept(parts, next, job('other', ['true']));
    await finished(parts, 'other');
    expect(await readFile(file, 'utf8')).toBe('x\n');
    await next.stop();
  });

  it('is refused by the policy of the device, and the rule is named', async () => {
    await using parts = await agentParts();
    const executor = executorOf(parts, { allow: ['uname'], shell: false });
    accept(parts, executor, job('no', ['rm', '-rf', '/']));
    accept(parts, executor, job('shell', ['uname'], { shell: true }));
    accept(parts, executor, job('yes', ['uname']));
    expect(await finished(parts, 'no')).toMatchObject({
      outcome: 'rejected',
      reason: 'jobs.allow on this device (uname) does not allow rm',
    });
    expect(await finished(parts, 'shell')).toMatchObject({
      outcome: 'rejected',
      reason: expect.stringContaining('jobs.shell'),
    });
    expect(await finished(parts, 'yes')).toMatchObject({ outcome: 'succeeded' });
    expect(events(parts).some(({ jobId, state }) => jobId === 'no' && state === 'started')).toBe(false);
    await executor.stop();
  });

  it('waits for the coordinator’s time, and has expired when that is past', async () => {
    await using parts = await agentParts({ linked: false });
    const executor = executorOf(parts);
    accept(parts, executor, job('late', ['true'], { expiresAtMs: Date.now() - 1 }));
    accept(parts, executor, job('fine', ['true']));
    expect(events(parts)).toEqual([]);
    parts.link.turn('live');
    expect(await finished(parts, 'late')).toMatchObject({ outcome: 'expired' });
    expect(await finished(parts, 'fine')).toMatchObject({ outcome: 'succeeded' });
    await executor.stop();
  });

  it('is ended past its time, or past the time that the device allows', async () => {
    await using parts = await agentParts();
    const executor = executorOf(parts, { timeoutSeconds: 0.2 });
    accept(parts, executor, job('slow', ['sleep', '30'], { timeoutSeconds: 0.1 }));
    accept(parts, executor, job('greedy', ['sleep', '30'], { timeoutSeconds: 9_999 }));
    expect(await finished(parts, 'slow')).toMatchObject({ outcome: 'timed-out', signal: 'SIGTERM' });
    expect(await finished(parts, 'greedy')).toMatchObject({ outcome: 'timed-out' });
    await executor.stop();
  });

  it('keeps no more output than the device allows, and counts the rest', async () => {
    await using parts = await agentParts();
    const executor = executorOf(parts);
    accept(parts, executor, job('loud', ['head', '-c', '50000', '/dev/zero']));
    const end = await finished(parts, 'loud');
    expect(end.stdout).toHaveLength(1_000);
    expect(end.truncatedBytes).toBe(49_000);
    await executor.stop();
  });

  it('is told to run once it has for a second', async () => {
    await using parts = await agentParts();
    const executor = executorOf(parts);
    accept(parts, executor, job('long', ['sleep', '1.3']));
    const { startedAtMs } = await finished(parts, 'long');
    expect(events(parts)).toMatchObject([
      { jobId: 'long', state: 'started', startedAtMs },
      { jobId: 'long', state: 'finished' },
    ]);
    await executor.stop();
  });

  it('goes on when the log has no room for that it runs', async () => {
    await using parts = await agentParts();
    const append = parts.log.append.bind(parts.log);
    parts.log.append = (lane, row) => {
      if (Buffer.from(row.payload).includes('"started"')) throw new Error('full');
      return append(lane, row);
    };
    const executor = executorOf(parts);
    accept(parts, executor, job('long', ['sleep', '1.3']));
    expect(await finished(parts, 'long')).toMatchObject({ outcome: 'succeeded' });
    expect(events(parts)).toHaveLength(1);
    await executor.stop();
  });

  it('waits its turn when as many run as the device allows', async () => {
    await using parts = await agentParts();
    const executor = executorOf(parts, { maxConcurrent: 1 });
    accept(parts, executor, job('first', ['sleep', '0.2']));
    accept(parts, executor, job('second', ['true']));
    await finished(parts, 'second');
    expect(events(parts).map(({ jobId }) => jobId)).toEqual(['first', 'second']);
    const [first, second] = events(parts);
    expect(second!.startedAtMs).toBeGreaterThanOrEqual(first!.finishedAtMs!);
    await executor.stop();
  });

  it('is cancelled while it waits, while it runs, and before it came', async () => {
    await using parts = await agentParts();
    const executor = executorOf(parts, { maxConcurrent: 1 });
    accept(parts, executor, job('runs', ['sleep', '30']));
    accept(parts, executor, job('waits', ['true']));
    executor.cancel({ jobId: 'waits' }, () => undefined);
    executor.cancel({ jobId: 'early' }, () => undefined);
    accept(parts, executor, job('early', ['true']));
    executor.cancel({ jobId: 'runs' }, () => undefined);
    for (const jobId of ['runs', 'waits', 'early'])
      expect(await finished(parts, jobId)).toMatchObject({ outcome: 'cancelled' });
    expect(
      events(parts)
        .filter(({ startedAtMs }) => startedAtMs !== undefined)
        .map(({ jobId }) => jobId),
    ).toEqual(['runs']);
    await executor.stop();
  });

  it('is unknown when the agent stops while it runs', async () => {
    await using parts = await agentParts();
    const executor = executorOf(parts);
    accept(parts, executor, job('runs', ['sleep', '30']));
    await executor.stop();
    expect(await finished(parts, 'runs')).toMatchObject({ outcome: 'unknown', reason: 'agent stopped' });
  });

  it('is unknown, and not run again, when the agent was killed while it ran', async () => {
    await using parts = await agentParts();
    const killed = executorOf(parts);
    accept(parts, killed, job('runs', ['sleep', '30']));
    await using after = await agentParts({ path: parts.dir }); // what the next process finds on the disk
    const executor = executorOf(after);
    expect(await finished(after, 'runs')).toMatchObject({ outcome: 'unknown' });
    accept(after, executor, job('runs', ['true']));
    accept(after, executor, job('next', ['true']));
    await finished(after, 'next');
    expect(events(after).filter(({ jobId, state }) => jobId === 'runs' && state === 'finished')).toHaveLength(1);
    await executor.stop();
    await killed.stop();
  });

  it('leaves no row without its event, and no event without its row', async () => {
    await using parts = await agentParts();
    const executor = executorOf(parts);
    const failing = () =>
      parts.log.transact(() => {
        executor.accept(job('never', ['true']));
        throw new Error('the settling failed');
      });
    expect(failing).toThrow('the settling failed');
    accept(parts, executor, job('fine', ['true']));
    await finished(parts, 'fine');
    expect(parts.database.prepare('SELECT job_id FROM agent_job').all()).toEqual([{ job_id: 'fine' }]);
    await executor.stop();
  });
});
