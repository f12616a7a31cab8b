import { describe, expect, it } from 'vitest';
import { Lane } from '../../../src/protocol/lane.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { startCore, type CoreBench, type FakeDevice } from './core-bench.ts';
import { enroll } from './enroll.ts';

const accepts = { agentVersion: '1.0.0', accepts: { 'config.desired': 1 } };

async function connected(core: CoreBench, id = 'gw-1', announce: unknown = accepts): Promise<FakeDevice> {
  const device = core.gateways.connect(await enroll(core.client, id));
  await device.admitted.promise;
  device.say('flotilla.accepts', announce);
  await device.heard();
  return device;
}

async function tells(device: FakeDevice, event: Record<string, unknown>): Promise<void> {
  device.say('flotilla.config', { name: 'limits', ...event }, { key: 'limits', lane: Lane.state });
  await device.heard(Lane.state);
}

const desiredOf = (device: FakeDevice) =>
  device.requests
    .filter(({ row }) => row.type === 'config.desired')
    .map(({ row }) => JSON.parse(Buffer.from(row.payload).toString()));

describe('settings of a device', () => {
  it('reach it, and show what became of them, also after a restart of the coordinator', async () => {
    await using directory = await temporaryDirectory();
    {
      await using core = await startCore(directory.path);
      const device = await connected(core);
      const set = await core.client.setConfig({ selector: 'gw-1', name: 'limits', document: { a: 1 } });
      expect(set).toEqual([{ deviceId: 'gw-1', name: 'limits', state: 'sent', version: 1, kept: [], conflicts: [] }]);
      const { seq, payload } = await device.request('config.desired');
      expect(payload).toEqual({ name: 'limits', version: 1, baseRevision: 0, document: { a: 1 } });
      device.confirm(seq);
      await tells(device, { revision: 1, desiredVersion: 1, document: { a: 1 }, state: 'applied' });
      expect((await core.client.device('gw-1')).configs).toEqual([
        { name: 'limits', state: 'applied', version: 1, revision: 1 },
      ]);
      await tells(device, { revision: 2, desiredVersion: 1, document: { a: 9 }, state: 'local' });
      const conflict = await core.client.setConfig({ selector: 'gw-1', name: 'limits', document: { a: 2 } });
      expect(conflict).toMatchObject([{ state: 'conflict', conflicts: ['/a'] }]);
      expect(desiredOf(device)).toHaveLength(1);
      expect(await core.client.events({ type: 'coordinator.config-conflict' })).toHaveLength(1);
    }
    await using core = await startCore(directory.path);
    expect(await core.client.config('gw-1', 'limits')).toMatchObject({
      state: 'conflict',
      differences: [{ path: '/a', base: 1, desired: 2, reported: 9, conflict: true }],
    });
    await expect(core.client.config('gw-1', 'nothing')).rejects.toMatchObject({ code: 'config-unknown' });
    const resolved = await core.client.resolveConfig('gw-1', 'limits', { take: 'desired' });
    expect(resolved).toMatchObject({ state: 'pending', version: 3, desired: { document: { a: 2 }, baseRevision: 2 } });
  });

  it('go out as a job that ends with what the product made of them, and stops where it goes wrong', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const devices: FakeDevice[] = [];
    for (const id of ['gw-1', 'gw-2', 'gw-3', 'gw-4']) devices.push(await connected(core, id));
    const [one, two, three] = devices as [FakeDevice, FakeDevice, FakeDevice, FakeDevice];
    const action = { kind: 'config' as const, name: 'limits', document: { a: 1 } };
    const job = await core.client.startJob({ selector: 'gw-*', action, batch: '1', maxFailures: 1 });
    const take = async (device: FakeDevice, event: Record<string, unknown>) => {
      const { seq } = await device.request('config.desired');
      device.confirm(seq);
      await tells(device, { desiredVersion: 1, ...event });
    };
    await take(one, { revision: 1, document: { a: 1 }, state: 'applied' });
    // It has another version of its own before ours is there: what it changed elsewhere is kept, and still the job's.
    const { seq } = await two.request('config.desired');
    two.confirm(seq);
    await tells(two, { revision: 1, desiredVersion: 0, document: { b: 2 }, state: 'local' });
    await expect.poll(() => desiredOf(two).at(-1)).toMatchObject({ version: 2, document: { a: 1, b: 2 } });
    await tells(two, { revision: 2, desiredVersion: 2, document: { a: 1, b: 2 }, state: 'applied' });
    await take(three, { revision: 0, document: null, state: 'rejected', reason: 'a is too small' });
    await expect.poll(async () => (await core.client.job(job.id)).state).toBe('finished');
    expect((await core.client.job(job.id)).results).toMatchObject([
      { outcome: 'succeeded' },
      { outcome: 'succeeded' },
      { outcome: 'rejected', reason: 'a is too small' },
      { outcome: 'cancelled' },
    ]);
    // Where it was cancelled nothing is set.
    expect(await core.client.configs('gw-4')).toEqual([]);
    expect(await core.client.config('gw-1', 'limits')).toMatchObject({ desired: { jobId: job.id } });

    // Another one that is set meanwhile takes its place, and a document that contradicts the device's is not sent.
    const over = await core.client.startJob({ selector: 'gw-4', action });
    await core.client.setConfig({ selector: 'gw-4', name: 'limits', document: { a: 3 } });
    expect((await core.client.job(over.id)).results).toMatchObject([
      { outcome: 'cancelled', reason: expect.stringContaining('set anew meanwhile') },
    ]);
    await tells(one, { revision: 2, desiredVersion: 1, document: { a: 9 }, state: 'local' });
    const against = await core.client.startJob({ selector: 'gw-1', action: { ...action, document: { a: 2 } } });
    expect((await core.client.job(against.id)).results).toMatchObject([
      { outcome: 'failed', reason: 'changed on both sides: /a' },
    ]);
    const huge = { ...action, document: 'x'.repeat(200_000) };
    await expect(core.client.startJob({ selector: '*', action: huge })).rejects.toMatchObject({ fault: 'usage' });
    const ramped = core.client.startJob({ selector: '*', action, rampSeconds: 1 });
    await expect(ramped).rejects.toMatchObject({ code: 'job-config-ramp' });
  });

  it('that were not sent yet give way to newer ones, and wait for an agent that takes them', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const device = await connected(core, 'gw-1', { agentVersion: '0.9.0', accepts: { 'config.desired': 1 } });
    for (const a of [1, 2, 3]) await core.client.setConfig({ selector: 'gw-1', name: 'limits', document: { a } });
    expect((await core.client.device('gw-1')).configs).toMatchObject([
      { state: 'pending', reason: 'needs config.desired, which agent 1.0.0 does not announce' },
    ]);
    expect((await core.client.device('gw-1')).held).toHaveLength(1);
    device.say('flotilla.accepts', accepts);
    await device.request('config.desired');
    expect(desiredOf(device)).toMatchObject([{ version: 3, document: { a: 3 } }]);
  });

  it('go out again to a device that was wiped', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const identity = await enroll(core.client, 'gw-1');
    const old = core.gateways.connect(identity);
    await old.admitted.promise;
    old.say('flotilla.accepts', accepts);
    await old.heard();
    await core.client.setConfig({ selector: 'gw-1', name: 'limits', document: { a: 1 } });
    old.confirm((await old.request('config.desired')).seq);
    await tells(old, { revision: 1, desiredVersion: 1, document: { a: 1 }, state: 'applied' });
    old.leave();
    const wiped = core.gateways.connect(identity, { instanceId: 0xb2n });
    await wiped.admitted.promise;
    wiped.say('flotilla.accepts', accepts);
    await wiped.request('config.desired');
    expect(desiredOf(wiped)).toEqual([{ name: 'limits', version: 2, baseRevision: 0, document: { a: 1 } }]);
  });

  it('follow the rules of selectors: nobody, too many, a dry run, and all that match', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    for (let n = 0; n < 12; n += 1) await enroll(core.client, `gw-${n}`);
    const request = { name: 'limits', document: { a: 1 } };
    await expect(core.client.setConfig({ selector: 'nobody', ...request })).rejects.toMatchObject({
      fault: 'none-matched',
    });
    await expect(core.client.setConfig({ selector: 'gw-*', ...request })).rejects.toMatchObject({
      code: 'confirmation-needed',
    });
    await expect(core.client.setConfig({ selector: 'gw-*', max: 3, ...request })).rejects.toMatchObject({
      fault: 'refused',
    });
    const dry = await core.client.setConfig({ selector: 'gw-*', expect: 12, dryRun: true, ...request });
    expect(dry).toHaveLength(12);
    expect(await core.client.configs('gw-0')).toEqual([]);
    const set = await core.client.setConfig({ selector: 'gw-*', expect: 12, ...request });
    expect(set.map(({ state }) => state)).toEqual(Array.from({ length: 12 }, () => 'pending'));
    await expect(core.client.setConfig({ ...request, selector: 'gw-1', name: '../x' })).rejects.toMatchObject({
      code: 'api-request-malformed',
    });
  });

  it('that a device tells beyond its bound are a dead letter, and the lane moves on', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const device = await connected(core);
    const tell = (name: string) => {
      const event = { name, revision: 1, desiredVersion: 0, document: {}, state: 'local' };
      device.say('flotilla.config', event, { key: name, lane: Lane.state });
    };
    for (let n = 0; n < 66; n += 1) tell(`d${n}`);
    await device.heard(Lane.state);
    expect(await core.client.configs('gw-1')).toHaveLength(64);
    expect(device.nacks.filter(({ lane }) => lane === Lane.state)).toHaveLength(2);
  });
});
