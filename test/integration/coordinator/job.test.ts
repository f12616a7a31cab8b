import { describe, expect, it } from 'vitest';
import type { JobAction, JobFollowRow, JobRetryRequest } from '../../../src/client/contract/index.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { startCore, type CoreBench, type FakeDevice } from './core-bench.ts';
import { enroll } from './enroll.ts';

async function connected(core: CoreBench, id: string): Promise<FakeDevice> {
  const device = core.gateways.connect(await enroll(core.client, id));
  await device.admitted.promise;
  return device;
}

async function finish(device: FakeDevice, outcome: 'succeeded' | 'failed', stdout = ''): Promise<void> {
  const { seq, payload } = await device.request('job.start');
  device.confirm(seq);
  device.say('flotilla.job', { jobId: payload.jobId, state: 'started' }, { key: payload.jobId });
  const exitCode = outcome === 'succeeded' ? 0 : 1;
  const event = { jobId: payload.jobId, state: 'finished', outcome, exitCode, stdout };
  device.say('flotilla.job', event, { key: payload.jobId });
  await device.heard();
}

describe('a job', () => {
  it('runs on the devices that matched, and is followed to its end with every output', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const [one, two] = [await connected(core, 'gw-1'), await connected(core, 'gw-2')];
    const job = await core.client.startJob({ selector: 'gw-*', action: { kind: 'command', argv: ['uname'] } });
    const rows: JobFollowRow[] = [];
    const following = (async () => {
      for await (const row of core.client.followJob(job.id)) rows.push(row);
    })();
    await finish(one, 'succeeded', 'Linux');
    await finish(two, 'failed', 'no');
    await following;
    expect(rows.at(-1)).toMatchObject({ kind: 'job', job: { state: 'finished', counts: { succeeded: 1, failed: 1 } } });
    const ends = rows.flatMap((row) => (row.kind === 'result' && row.result.state === 'finished' ? [row.result] : []));
    expect(
      ends
        .map(({ deviceId, outcome, exitCode, stdout }) => [deviceId, outcome, exitCode, stdout])
        .toSorted((a, b) => String(a[0]).localeCompare(String(b[0]))),
    ).toEqual([
      ['gw-1', 'succeeded', 0, 'Linux'],
      ['gw-2', 'failed', 1, 'no'],
    ]);
    const again: JobFollowRow[] = [];
    for await (const row of core.client.followJob(job.id)) again.push(row);
    expect(again.map(({ kind }) => kind)).toEqual(['result', 'result', 'job']);
    expect((await core.client.job(job.id)).results).toMatchObject([{ stdout: 'Linux' }, { stdout: 'no' }]);
  });

  it('waits for a device that is away, keeps its number, and is not lost or doubled by a restart', async () => {
    await using directory = await temporaryDirectory();
    const first = await startCore(directory.path);
    const identity = await enroll(first.client, 'gw-1');
    const job = await first.client.startJob({ selector: 'gw-1', action: { kind: 'command', argv: ['true'] } });
    const before = first.gateways.connect(identity);
    const { coordinatorInstanceId } = await before.admitted.promise;
    const sent = await before.request('job.start');
    expect(sent).toMatchObject({ seq: 1, payload: { jobId: job.id, argv: ['true'] } });
    await first.coordinator.stop(); // the device never confirmed

    const second = await startCore(directory.path);
    const after = second.gateways.connect(identity);
    expect((await after.admitted.promise).coordinatorInstanceId).toBe(coordinatorInstanceId);
    expect((await after.request('job.start')).seq).toBe(1);
    after.confirm(1);
    await expect.poll(async () => (await second.client.job(job.id)).counts).toEqual({ delivered: 1 });
    // Its confirmation may get lost: HELLO tells how far it is.
    const third = second.gateways.connect(identity, {
      knownCoordinatorInstanceId: coordinatorInstanceId,
      requestCursor: [1, 0, 0, 0],
    });
    await third.admitted.promise;
    await second.client.status();
    expect(third.requests).toEqual([]);
    await second.coordinator.stop();
  });

  it('is not sent again to a device whose data is gone: whether it ran is unknown', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const identity = await enroll(core.client, 'gw-1');
    const job = await core.client.startJob({ selector: 'gw-1', action: { kind: 'command', argv: ['true'] } });
    const before = core.gateways.connect(identity);
    await before.request('job.start');
    const wiped = core.gateways.connect(identity, { instanceId: 0xb2n });
    await before.probed.promise;
    before.handler.probed(before.connection, false);
    await wiped.admitted.promise;
    expect(await core.client.job(job.id)).toMatchObject({ state: 'finished', results: [{ outcome: 'unknown' }] });
    expect(wiped.requests).toEqual([]);
  });

  it('ends as timed-out on a device that is connected and silent, after its time', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const [quick, silent] = [await connected(core, 'gw-1'), await connected(core, 'gw-2')];
    const job = await core.client.startJob({
      selector: '*',
      action: { kind: 'command', argv: ['true'] },
      timeoutSeconds: 0.1,
    });
    await finish(quick, 'succeeded');
    expect((await core.client.job(job.id)).counts).toEqual({ succeeded: 1, queued: 1 });
    for await (const row of core.client.followJob(job.id)) {
      if (row.kind === 'job') expect(row.job.counts).toEqual({ succeeded: 1, 'timed-out': 1 });
    }
    await silent.request('job.cancel');
  });

  it('shows what a device writes to those who asked, in order, and stores none of it', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const device = await connected(core, 'gw-1');
    const other = await connected(core, 'gw-2');
    for (const each of [device, other]) {
      each.say('flotilla.accepts', { agentVersion: '1.0.0', accepts: { 'job.follow': 1 } });
      await each.heard();
    }
    const action: JobAction = { kind: 'command', argv: ['true'] };
    const job = await core.client.startJob({ selector: 'gw-1', action, follow: true });
    expect(job.follow).toBe(true);
    expect((await device.request('job.follow')).payload).toEqual({ jobId: job.id });
    const rows: JobFollowRow[] = [];
    const following = (async () => {
      for await (const row of core.client.followJob(job.id, undefined, { output: true })) rows.push(row);
    })();
    const tell = (from: FakeDevice, offset: number, text: string) =>
      from.say(
        'flotilla.job-output',
        { jobId: job.id, pieces: [{ stream: 'stdout', offset, bytes: text.length, text }] },
        { key: job.id, lane: 2 },
      );
    await expect
      .poll(() => {
        tell(device, 0, 'a'); // until the follower listens
        return rows.filter(({ kind }) => kind === 'output').length;
      })
      .toBeGreaterThan(0);
    tell(other, 0, 'no part of this job');
    tell(device, 11, 'b');
    await finish(device, 'succeeded', 'all of it');
    await following;
    const outputs = rows.flatMap((row) => (row.kind === 'output' ? [row.output] : []));
    expect(outputs[0]).toEqual({ deviceId: 'gw-1', stream: 'stdout', offset: 0, bytes: 1, text: 'a' });
    expect(outputs.at(-1)).toMatchObject({ text: 'b', missedBytes: 10 });
    expect(outputs.every(({ deviceId }) => deviceId === 'gw-1')).toBe(true);
    expect(await core.client.events({ type: 'flotilla.job-output' })).toEqual([]);

    const quiet = await core.client.startJob({ selector: 'gw-2', action });
    await other.request('job.start');
    expect(other.requests.map(({ row }) => row.type)).toEqual(['job.start']);
    expect((await core.client.askOutput(quiet.id)).follow).toBe(true);
    await other.request('job.follow');
  });

  it('starts nothing in a dry run, and refuses what the safety rules refuse', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    await connected(core, 'gw-1');
    const dry = await core.client.startJob({
      selector: '*',
      action: { kind: 'command', argv: ['true'] },
      dryRun: true,
    });
    expect(dry).toMatchObject({ id: '', matched: 1, results: [{ deviceId: 'gw-1', state: 'waiting' }] });
    expect(await core.client.jobs()).toEqual([]);
    const start = (over: object) =>
      core.client.startJob({ selector: '*', action: { kind: 'command', argv: ['true'] }, ...over });
    await expect(start({ selector: 'nobody' })).rejects.toMatchObject({ fault: 'none-matched' });
    await expect(start({ expect: 2 })).rejects.toMatchObject({ fault: 'refused', code: 'job-count-changed' });
    await expect(core.client.job('j-nothing')).rejects.toMatchObject({ code: 'job-unknown' });
    await expect(core.client.followJob('j-nothing').next()).rejects.toMatchObject({ code: 'job-unknown' });
  });

  it('is run again on those that failed alone, by a new job; and every device has its history', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const [one, two] = [await connected(core, 'gw-1'), await connected(core, 'gw-2')];
    const job = await core.client.startJob({ selector: 'gw-*', action: { kind: 'command', argv: ['uname'] } });
    await finish(one, 'succeeded', 'Linux');
    await finish(two, 'failed', 'no');
    const retry = (outcomes: JobRetryRequest['outcomes'], over = {}) =>
      core.client.retryJob(job.id, { outcomes, ...over });
    await expect(retry(['unknown'])).rejects.toMatchObject({ code: 'job-retry-none', fault: 'none-matched' });
    await expect(retry(['failed'], { expect: 2 })).rejects.toMatchObject({ code: 'job-count-changed' });
    expect(await retry(['failed'], { dryRun: true })).toMatchObject({ id: '', results: [{ deviceId: 'gw-2' }] });
    const again = await retry(['failed', 'timed-out']);
    expect(again).toMatchObject({ retryOf: job.id, matched: 1, action: { argv: ['uname'] } });

    const results = [];
    for await (const result of core.client.jobResults(job.id)) results.push(result);
    expect(results).toMatchObject([
      { deviceId: 'gw-1', outcome: 'succeeded', stdout: 'Linux' },
      { deviceId: 'gw-2', outcome: 'failed', stdout: 'no' },
    ]);
    expect((await core.client.deviceJobs('gw-2')).map((row) => [row.job.id, row.result.state])).toEqual([
      [again.id, 'queued'],
      [job.id, 'finished'],
    ]);
    expect(await core.client.deviceJobs('gw-3')).toEqual([]);
    expect((await core.client.jobs({ state: 'running' })).map(({ id }) => id)).toEqual([again.id]);
    expect(await core.client.jobs({ submittedBy: 'operator:nobody' })).toEqual([]);
    expect(await core.client.jobs({ limit: 1 })).toHaveLength(1);
    await expect(core.client.jobResults('j-nothing').next()).rejects.toMatchObject({ code: 'job-unknown' });
  });
});
