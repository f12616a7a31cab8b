import { describe, expect, it } from 'vitest';
import type { ScheduleRequest } from '../../../src/client/contract/index.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { startCore, type CoreBench } from './core-bench.ts';
import { enroll } from './enroll.ts';

const request = (over: Partial<ScheduleRequest> = {}): ScheduleRequest => ({
  name: 'nightly',
  trigger: { kind: 'cron', cron: '0 3 * * *', zone: 'Europe/Berlin' },
  missed: 'skip',
  job: { selector: 'gw-*', action: { kind: 'command', argv: ['true'] } },
  ...over,
});
const soon = (ms: number): ScheduleRequest['trigger'] => ({ kind: 'at', atMs: Date.now() + ms });
const fired = (core: CoreBench, name = 'nightly') =>
  expect.poll(async () => (await core.client.schedule(name)).firings, { timeout: 10_000, interval: 50 });

describe('a schedule', () => {
  it('starts a job on what matches then, once, also over restarts of the coordinator', async () => {
    await using directory = await temporaryDirectory();
    const first = await startCore(directory.path);
    await enroll(first.client, 'gw-1');
    await first.client.addSchedule(request({ trigger: soon(600) }));
    await enroll(first.client, 'gw-2');
    await first.coordinator.stop(); // it is due while nobody is there

    await using second = await startCore(directory.path);
    await fired(second).toMatchObject([{ outcome: 'started' }]);
    const jobs = await second.client.jobs({ schedule: 'nightly' });
    expect(jobs).toMatchObject([{ schedule: 'nightly', matched: 2, submittedBy: expect.stringMatching(/^local:/) }]);
    const shown = await second.client.schedule('nightly');
    expect(shown).toMatchObject({
      state: 'done',
      firings: [{ jobId: jobs[0]!.id }],
      expected: { matched: 1, fleet: 1 },
    });
    await second.coordinator.stop();

    await using third = await startCore(directory.path);
    expect((await third.client.schedule('nightly')).firings).toEqual(shown.firings);
    expect(await third.client.jobs({ schedule: 'nightly' })).toHaveLength(1);
    await expect(third.client.changeSchedule('nightly', 'pause')).rejects.toMatchObject({ code: 'schedule-done' });
  });

  it('asks the safety rules when it is made and again when it fires, and keeps the refusal', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    await enroll(core.client, 'gw-1');
    const add = (over: Partial<ScheduleRequest>) => core.client.addSchedule(request(over));
    const job = request().job;
    await expect(add({ job: { ...job, selector: 'nobody' } })).rejects.toMatchObject({ fault: 'none-matched' });
    await expect(add({ expect: 2 })).rejects.toMatchObject({ fault: 'refused', code: 'job-count-changed' });
    expect(await add({ dryRun: true })).toMatchObject({ state: 'active', expected: { matched: 1 } });
    expect(await core.client.schedules()).toEqual([]);

    for (let n = 2; n < 14; n += 1) await enroll(core.client, `gw-${n}`);
    const tag = (selector: string) => core.client.tagDevices({ selector, set: { ring: 'x' }, unset: [] });
    await tag('gw-1');
    const ring = { ...job, selector: 'I@ring:x' };
    const trigger = soon(2_000);
    await add({ trigger, job: { ...ring, max: 1 } });
    await add({ name: 'grown', trigger, job: ring });
    await expect(add({ name: 'all' })).rejects.toMatchObject({ code: 'confirmation-needed' });
    await add({ name: 'all', trigger, expect: 13 });
    await expect(add({})).rejects.toMatchObject({ code: 'schedule-exists', fault: 'refused' });
    await tag('*');
    await fired(core).toMatchObject([{ outcome: 'refused', error: { code: 'job-above-max', seen: '13 devices' } }]);
    await fired(core, 'grown').toMatchObject([{ outcome: 'refused', error: { code: 'confirmation-needed' } }]);
    // What was confirmed is a share of the fleet.
    await fired(core, 'all').toMatchObject([{ outcome: 'started' }]);
    const refusals = (await core.client.audit({})).filter(({ action }) => action === 'schedule.fire');
    expect(refusals.find(({ subject }) => subject === 'nightly')).toMatchObject({
      actor: 'system:schedule:nightly',
      result: 'refused',
      code: 'job-above-max',
    });
  });

  it('says when it is due, is paused, resumed and removed', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    await enroll(core.client, 'gw-1');
    const { nextAtMs } = await core.client.addSchedule(request());
    const { timesMs } = await core.client.scheduleTimes('nightly', { count: 3 });
    expect([timesMs.length, timesMs[0]]).toEqual([3, nextAtMs]);
    expect(await core.client.changeSchedule('nightly', 'pause')).not.toHaveProperty('nextAtMs');
    expect(await core.client.changeSchedule('nightly', 'resume')).toMatchObject({ state: 'active', nextAtMs });
    await core.client.removeSchedule('nightly');
    await expect(core.client.schedule('nightly')).rejects.toMatchObject({ code: 'schedule-unknown' });
  });
});
