import { createHash } from 'node:crypto';
import { stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import type { JobAction, ScheduleRequest } from '../../../src/client/contract/index.ts';
import { Core } from '../../../src/coordinator/core/core.ts';
import { loadState } from '../../../src/coordinator/core/load-state.ts';
import type { GatewayPort } from '../../../src/coordinator/gateway/port.ts';
import type { JobDocument } from '../../../src/coordinator/job/job-state.ts';
import type { ScheduleDocument } from '../../../src/coordinator/schedule/schedule-document.ts';
import { fireDue } from '../../../src/coordinator/service/fire-schedule.ts';
import { createLog } from '../../../src/log.ts';
import { openStore } from '../../../src/store/index.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { startCore, type CoreBench } from './core-bench.ts';
import { enroll } from './enroll.ts';

const storeEntry = new URL('../../../src/bin/store-thread.ts', import.meta.url);
const firingCore = join(import.meta.dirname, '..', '..', 'support', 'firing-core.ts');

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

  it('does not start beside the job before, unless the devices of that are away', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    await enroll(core.client, 'gw-1');
    expect(await core.client.addSchedule(request())).toMatchObject({ overlap: 'skip' });
    await core.coordinator.stop();

    const store = await openStore({ path: join(core.config.data, 'flotilla.db'), entry: storeEntry });
    const state = await loadState(store, 'harbour', '00000000000000c0', 0);
    const of = state.schedules.get('nightly')!;
    let nowMs = of.nextAtMs!;
    const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs, schedule: () => () => undefined };
    const alone = new Core({ store, state, clock, log: createLog({ name: 'core', level: 'silent' }) });
    await alone.start(new Proxy({} as GatewayPort, { get: () => () => undefined }));
    const context = {
      newId: (prefix: string) => `${prefix}-${nowMs}`,
      jobs: { defaultTimeoutSeconds: 1, defaultExpiresSeconds: 1e6, confirmAboveShare: 1 },
      random: () => 0,
      returners: { always: [], known: new Set<string>() },
    };
    const nextDay = async (connected: boolean) => {
      await alone.submit((turn) => {
        const live = {
          connection: 1,
          gateway: 0,
          instanceId: '',
          serial: '',
          connectedAtMs: 0,
          standing: 'accepted' as const,
        };
        if (connected) turn.set(turn.state.live, 'gw-1', { ...live, sent: new Set<number>() });
        else turn.delete(turn.state.live, 'gw-1');
        fireDue(turn, context);
      });
      nowMs = state.schedules.get('nightly')!.nextAtMs ?? nowMs;
      return state.schedules.get('nightly')!.firings.map(({ outcome }) => outcome);
    };
    expect(await nextDay(false)).toEqual(['started']);
    // Nobody works on that: it is away.
    expect(await nextDay(false)).toEqual(['started', 'started']);
    expect(await nextDay(true)).toEqual(['started', 'started', 'skipped']);
    await store.close();
  });

  it('fires each time once, whatever is killed when: a firing and its job are one transaction', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'flotilla.db');
    let reported = 0;
    for (let round = 1; round <= 3; round += 1) {
      const child = execa(process.execPath, ['--disable-warning=ExperimentalWarning', firingCore, path], {
        reject: false,
        buffer: false,
        forceKillAfterDelay: false,
      });
      let seen = 0;
      for await (const line of child.iterable()) {
        reported = Math.max(reported, Number(line));
        seen += 1;
        if (seen === 7 * round) child.kill('SIGKILL'); // in mid-work: the next one is under way
      }
      await child;
    }
    const store = await openStore({ path, entry: storeEntry });
    const { jobs, schedules } = await store.load();
    await store.close();
    const dueMs = jobs.map(({ document }) => (document as JobDocument).submittedAtMs).toSorted((a, b) => a - b);
    expect(dueMs.length).toBeGreaterThanOrEqual(7 + 14 + 21);
    expect(dueMs).toEqual(dueMs.map((_, n) => dueMs[0]! + n * 60_000));
    expect(dueMs.at(-1)).toBeGreaterThanOrEqual(reported);
    const { firings } = schedules[0]!.document as ScheduleDocument;
    expect(firings.map(({ jobId }) => jobId).toSorted()).toEqual(jobs.map(({ id }) => id).toSorted());
  });

  it('keeps what it is to bring, and takes any kind of job', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    await enroll(core.client, 'gw-1');
    const file = join(directory.path, 'check.sh');
    await writeFile(file, '#!/bin/sh\n');
    const sha256 = createHash('sha256').update('#!/bin/sh\n').digest('hex');
    const script: JobAction = { kind: 'script', name: 'check.sh', content: { sha256, sizeBytes: 10 }, args: [] };
    const add = (name: string, action: JobAction) =>
      core.client.addSchedule(request({ name, job: { selector: 'gw-1', action } }));
    const malformed = add('words', { kind: 'command', argv: ['echo', '{{'] });
    await expect(malformed).rejects.toMatchObject({ code: 'job-template' });
    await expect(add('script', script)).rejects.toMatchObject({ code: 'content-unknown' });
    await core.client.uploadContent(file, sha256);
    await add('script', script);
    await add('config', { kind: 'config', name: 'limits', document: { max: 1 } });
    await add('restart', { kind: 'restart', service: 'modem' });
    // A month later somebody sends something else.
    const kept = join(core.config.data, 'blobs', sha256);
    await utimes(kept, 1, 1);
    await writeFile(file, 'other');
    await core.client.uploadContent(file, createHash('sha256').update('other').digest('hex'));
    expect((await stat(kept)).size).toBe(10);
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
