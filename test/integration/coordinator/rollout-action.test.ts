/** Jobs, settings, certificates and agents under the policy of a rollout: real core, real store, devices that say what an agent says. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { buildAgentBundle } from '../../../src/cli/agent-bundle.ts';
import type { RolloutAction, RolloutRecordingRow, RolloutRequest } from '../../../src/client/contract/index.ts';
import type { PeerIdentity } from '../../../src/coordinator/gateway/port.ts';
import { encodeCsr } from '../../../src/pki/create-csr.ts';
import { createKey, parseCertificate, parseDeviceIdentity } from '../../../src/pki/index.ts';
import { Lane } from '../../../src/protocol/lane.ts';
import { requestVersions } from '../../../src/protocol/request.ts';
import { replayRecording } from '../../../src/simulation/index.ts';
import { eventually } from '../../support/eventually.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { startCore, type CoreBench, type FakeDevice } from './core-bench.ts';
import { enroll } from './enroll.ts';
import { keys } from './signed-bundle.ts';

async function come(core: CoreBench, identity: PeerIdentity, nextSeq?: number[]): Promise<FakeDevice> {
  const device = core.gateways.connect(identity, nextSeq === undefined ? {} : { nextSeq });
  await device.admitted.promise;
  if (nextSeq !== undefined) device.seq.splice(0, 4, ...nextSeq);
  device.say('flotilla.accepts', { agentVersion: '1.0.0', accepts: requestVersions });
  await device.heard();
  return device;
}

async function fleet(core: CoreBench, count: number): Promise<FakeDevice[]> {
  const devices: FakeDevice[] = [];
  for (let number = 1; number <= count; number += 1)
    devices.push(await come(core, await enroll(core.client, `gw-${number}`)));
  return devices;
}

const command: RolloutAction = { kind: 'job', job: { kind: 'command', argv: ['true'] } };
const phases = [{ size: '1' }, { size: 'rest' }];
const start = (core: CoreBench, action: RolloutAction, over: Partial<RolloutRequest> = {}) =>
  core.client.startRollout({ action, selector: 'gw-*', expect: core.gateways.devices.size, phases, ...over });
const stateOf = async (core: CoreBench, id: string) => (await core.client.rollout(id)).counts;

async function finish(device: FakeDevice, jobId: string, exitCode: number, stdout = ''): Promise<void> {
  const { seq } = await eventually(`the start of ${jobId}`, () =>
    device.requests.find(({ row: { type, key } }) => type === 'job.start' && key === jobId),
  );
  device.confirm(seq);
  device.say('flotilla.job', { jobId, state: 'started' }, { key: jobId });
  const outcome = exitCode === 0 ? 'succeeded' : 'failed';
  device.say('flotilla.job', { jobId, state: 'finished', outcome, exitCode, stdout }, { key: jobId });
  await device.heard();
}

const started = (device: FakeDevice) => device.requests.filter(({ row: { type } }) => type === 'job.start').length;

describe('a job under the policy of a rollout', () => {
  it('runs once on each device, phase by phase, with its output where jobs have it', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const [one, two, three] = (await fleet(core, 3)) as [FakeDevice, FakeDevice, FakeDevice];
    const rollout = await start(core, command);
    expect(rollout).toMatchObject({ action: command, counts: { offered: 1, waiting: 2 } });
    expect(rollout).not.toHaveProperty('release');
    const jobId = `${rollout.id}-job`;
    await one.request('job.start');
    expect([started(two), started(three)]).toEqual([0, 0]);
    expect(await core.client.job(jobId)).toMatchObject({ rollout: rollout.id, counts: { queued: 1, waiting: 2 } });
    await expect(core.client.cancelJob(jobId)).rejects.toMatchObject({ code: 'job-of-rollout', fault: 'refused' });
    const why = await core.client.why('gw-2', {});
    expect(why.rules.filter(({ verdict }) => verdict === 'blocks').map(({ rule }) => rule)).toEqual(['phase', 'gate']);

    await finish(one, jobId, 0, 'fine');
    await two.request('job.start');
    await finish(two, jobId, 0);
    await finish(three, jobId, 0);
    expect(await core.client.rollout(rollout.id)).toMatchObject({
      state: 'completed',
      counts: { committed: 3 },
      devices: [{ proof: { kind: 'job', jobId, exitCode: 0 } }, {}, {}],
    });
    expect(await core.client.job(jobId)).toMatchObject({ state: 'finished', counts: { succeeded: 3 } });
    expect((await core.client.job(jobId)).results![0]).toMatchObject({ deviceId: 'gw-1', stdout: 'fine' });
    expect((await core.client.why('gw-1', {})).conclusion).toBe('gw-1 has done: true, proven');
    const report = await core.client.rolloutReport(rollout.id);
    expect(report).toMatchObject({ succeeded: 3, bytes: { bundleBytes: 0 }, durations: { whole: { count: 3 } } });
    expect([started(one), started(two), started(three)]).toEqual([1, 1, 1]);
  });

  it('halts when the canary fails, and nobody else begins; the job ends with the rollout', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const [one, two] = (await fleet(core, 2)) as [FakeDevice, FakeDevice];
    const { id } = await start(core, command);
    await finish(one, `${id}-job`, 3);
    expect(await core.client.rollout(id)).toMatchObject({
      state: 'halted',
      devices: [{ state: 'failed', reason: { code: 'job-failed', message: 'exit 3' } }, { state: 'waiting' }],
    });
    expect(await core.client.job(`${id}-job`)).toMatchObject({ state: 'running', counts: { failed: 1, waiting: 1 } });
    await core.client.changeRollout(id, 'abort', {});
    await expect
      .poll(() => core.client.job(`${id}-job`))
      .toMatchObject({ state: 'finished', counts: { failed: 1, cancelled: 1 } });
    expect(started(two)).toBe(0);
  });

  it('is stopped on the device when the rollout is aborted, and left out where the agent does not take it', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const [one] = (await fleet(core, 1)) as [FakeDevice];
    const old = core.gateways.connect(await enroll(core.client, 'gw-2'));
    await old.admitted.promise;
    const reboot: RolloutAction = { kind: 'job', job: { kind: 'reboot' } };
    const { id } = await start(core, reboot, { phases: [{ size: 'rest' }] });
    const jobId = `${id}-job`;
    one.confirm((await one.request('job.run')).seq);
    one.say('flotilla.job', { jobId, state: 'started' }, { key: jobId });
    await one.heard();
    // One that has not said what it takes is waited for, and asked nothing until it has.
    expect(await stateOf(core, id)).toEqual({ running: 1, offered: 1 });
    expect(old.requests).toEqual([]);
    old.say('flotilla.accepts', { agentVersion: '1.0.0', accepts: {} });
    await old.heard();
    expect(await core.client.rollout(id)).toMatchObject({
      devices: [
        {},
        { state: 'rejected', reason: { code: 'job-rejected', message: expect.stringMatching(/^agent too old/) } },
      ],
    });
    await core.client.changeRollout(id, 'abort', {});
    one.confirm((await one.request('job.cancel')).seq);
    one.say('flotilla.job', { jobId, state: 'finished', outcome: 'cancelled' }, { key: jobId });
    await one.heard();
    expect(await core.client.rollout(id)).toMatchObject({ state: 'aborted', counts: { cancelled: 1, rejected: 1 } });
    expect(await core.client.job(jobId)).toMatchObject({ state: 'finished', counts: { cancelled: 1, rejected: 1 } });
  });

  it('is tried again as another execution, and never where nobody knows', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const [one, two] = (await fleet(core, 2)) as [FakeDevice, FakeDevice];
    const retry = { perDevice: 2, perPhase: 4, backoffSeconds: 0.05 };
    const { id } = await start(core, command, { retry, phases: [{ size: 'rest' }], maxFailures: 2 });
    await finish(one, `${id}-job`, 1);
    await finish(one, `${id}-job-2`, 0);
    // The other one was sent it, and comes back with its data gone.
    two.confirm((await two.request('job.start')).seq);
    two.leave();
    const wiped = core.gateways.connect(await enroll(core.client, 'gw-2'), { instanceId: 0xb7n });
    await wiped.admitted.promise;
    await expect.poll(() => stateOf(core, id)).toEqual({ committed: 1, unknown: 1 });
    expect(await core.client.rollout(id)).toMatchObject({
      state: 'completed',
      devices: [
        { attempts: 2, retries: 1, proof: { jobId: `${id}-job-2` } },
        { attempts: 1, state: 'unknown', reason: { code: 'job-unknown' } },
      ],
    });
    expect(await core.client.job(`${id}-job-2`)).toMatchObject({ matched: 1, counts: { succeeded: 1 } });
    expect(started(wiped)).toBe(0);
  });

  it('goes on behind a restart of the coordinator, and its recording gives the same outcome', async () => {
    await using directory = await temporaryDirectory();
    const first = await startCore(directory.path);
    const identity = await enroll(first.client, 'gw-1');
    const before = await come(first, identity);
    const { id } = await start(first, command, { phases: [{ size: 'rest' }] });
    const { seq } = await before.request('job.start');
    before.confirm(seq);
    await expect.poll(async () => (await first.client.job(`${id}-job`)).counts).toEqual({ delivered: 1 });
    await first.coordinator.stop();
    await using second = await startCore(directory.path);
    expect(await stateOf(second, id)).toEqual({ offered: 1 });
    const after = await come(second, identity, [...before.seq]);
    const event = { jobId: `${id}-job`, state: 'finished', outcome: 'succeeded', exitCode: 0 };
    after.say('flotilla.job', event, { key: `${id}-job` });
    await after.heard();
    expect(await second.client.rollout(id)).toMatchObject({ state: 'completed', counts: { committed: 1 } });
    const replayed = await replayRecording(second.client.rolloutRecording(id));
    expect(replayed.differences).toEqual([]);
  });

  it('is planned, applied, and refused when it can not be carried out', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const [one] = (await fleet(core, 2)) as [FakeDevice];
    const plan = await core.client.planRollout({ action: command, selector: 'gw-*', phases });
    expect(plan).toMatchObject({ policy: { action: command }, bytes: 0, devices: 2, warnings: [] });
    expect(plan).not.toHaveProperty('release');
    // A plan restarts nobody: how many it may be is asked at the start.
    const reboot: RolloutAction = { kind: 'job', job: { kind: 'reboot' } };
    expect(await core.client.planRollout({ action: reboot, selector: 'gw-*' })).toMatchObject({ devices: 2 });
    const unasked = core.client.startRollout({ action: reboot, selector: 'gw-*' });
    await expect(unasked).rejects.toMatchObject({ code: 'confirmation-needed' });
    const { id } = await core.client.applyRollout(plan);
    await finish(one, `${id}-job`, 0);
    await expect.poll(() => stateOf(core, id)).toEqual({ committed: 1, offered: 1 });
    const ask = (over: Partial<RolloutRequest>) => core.client.startRollout({ selector: 'gw-1', ...over });
    await expect(ask({})).rejects.toMatchObject({ code: 'rollout-action' });
    const content = { sha256: 'a'.repeat(64), sizeBytes: 3 };
    const script: RolloutAction = { kind: 'job', job: { kind: 'script', name: 'x', content, args: [] } };
    await expect(ask({ action: script })).rejects.toMatchObject({ code: 'content-unknown' });
    const back = { action: command, onFailure: { rollbackTo: 'meter/1.0.0' } };
    await expect(ask(back)).rejects.toMatchObject({ code: 'rollout-action-field' });
    const abort = core.client.changeRollout(id, 'abort', { action: { rollbackTo: 'meter/1.0.0' } });
    await expect(abort).rejects.toMatchObject({ code: 'rollout-rollback' });
  });

  it('takes in who comes to match a continuous one', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const [one] = (await fleet(core, 1)) as [FakeDevice];
    const { id } = await start(core, command, { continuous: true, phases: [{ size: 'rest' }] });
    await finish(one, `${id}-job`, 0);
    const late = await come(core, await enroll(core.client, 'gw-2'));
    await finish(late, `${id}-job`, 0);
    expect(await core.client.rollout(id)).toMatchObject({ state: 'running', counts: { committed: 2 } });
    expect(await core.client.job(`${id}-job`)).toMatchObject({ matched: 2, counts: { succeeded: 2 } });
  });
});

describe('settings under the policy of a rollout', () => {
  const action: RolloutAction = { kind: 'config', name: 'limits', document: { a: 1 } };
  const tells = async (device: FakeDevice, event: object) => {
    const { seq } = await device.request('config.desired');
    device.confirm(seq);
    device.say('flotilla.config', { name: 'limits', desiredVersion: 1, ...event }, { key: 'limits', lane: Lane.state });
    await device.heard(Lane.state);
  };

  it('stop where a product refuses them, and are there already where it has them', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const [one, two, three] = (await fleet(core, 3)) as [FakeDevice, FakeDevice, FakeDevice];
    await core.client.setConfig({ selector: 'gw-1', name: 'limits', document: { a: 1 } });
    await tells(one, { revision: 1, document: { a: 1 }, state: 'applied' });
    const { id } = await start(core, action, { phases: [{ size: '2' }, { size: 'rest' }] });
    expect(await core.client.rollout(id)).toMatchObject({ devices: [{ state: 'already' }, { state: 'offered' }, {}] });
    await tells(two, { revision: 0, document: null, state: 'rejected', reason: 'a is too small' });
    await expect
      .poll(() => core.client.rollout(id))
      .toMatchObject({
        state: 'halted',
        devices: [{}, { state: 'failed', reason: { code: 'settings-refused', message: 'a is too small' } }, {}],
      });
    expect(three.requests.filter(({ row: { type } }) => type === 'config.desired')).toEqual([]);
  });
});

describe('new certificates under the policy of a rollout', () => {
  const renewalId = (n: number): string => n.toString(16).padStart(16, '0');
  const renew = async (device: FakeDevice, id: string, n: number): Promise<PeerIdentity> => {
    device.confirm((await device.request('certificate.renew')).seq);
    const csr = encodeCsr(id, await createKey()).toString('base64');
    const value = { renewalId: renewalId(n), csr, cause: 'asked', authoritySha256: '0'.repeat(64) };
    device.say('flotilla.certificate-request', value, { key: renewalId(n) });
    const { payload } = await device.request('certificate.install');
    const parsed = parseCertificate(Buffer.from(payload.certificate, 'base64'));
    return { ...parseDeviceIdentity(parsed), authority: 'issuing-1' };
  };

  it('are proven by a session with them, one phase after the other', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const old = await enroll(core.client, 'gw-1');
    const one = await come(core, old);
    const two = await come(core, await enroll(core.client, 'gw-2'));
    const { id } = await start(core, { kind: 'certificate' });
    const next = await renew(one, 'gw-1', 1);
    await expect.poll(() => stateOf(core, id)).toEqual({ running: 1, waiting: 1 });
    expect(two.requests).toEqual([]);
    // It says so, and that counts for nothing.
    const told = { renewalId: renewalId(1), outcome: 'installed', via: 'link', serial: next.serialHex };
    one.say('flotilla.certificate', told, { key: renewalId(1) });
    await one.heard();
    expect(await stateOf(core, id)).toEqual({ running: 1, waiting: 1 });
    one.leave();
    const again = await come(core, old, [...one.seq]); // a new session, with the old one
    expect(await stateOf(core, id)).toEqual({ running: 1, waiting: 1 });
    again.leave();
    await come(core, next, [...again.seq]);
    await two.request('certificate.renew');
    const status = await core.client.rollout(id);
    expect(status).toMatchObject({
      counts: { committed: 1, offered: 1 },
      devices: [{ proof: { kind: 'certificate', serial: next.serialHex, replaces: old.serialHex } }, {}],
    });
    expect((await core.client.why('gw-1', {})).rules.find(({ rule }) => rule === 'evidence')!.detail).toMatch(
      new RegExp(`^certificate ${old.serialHex} → ${next.serialHex}, issued .*, in use since `),
    );
  });

  it('that a device can not use halt the rollout, and it is not asked again by itself', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const [one] = (await fleet(core, 2)) as [FakeDevice];
    const { id } = await start(core, { kind: 'certificate' });
    await renew(one, 'gw-1', 1);
    const told = {
      renewalId: renewalId(1),
      outcome: 'failed',
      via: 'link',
      reason: { code: 'no-room', message: 'no room' },
    };
    one.say('flotilla.certificate', told, { key: renewalId(1) });
    await one.heard();
    expect(await core.client.rollout(id)).toMatchObject({
      state: 'halted',
      devices: [{ state: 'failed', reason: { code: 'renewal-failed', message: 'no room' } }, { state: 'waiting' }],
    });
    expect(await core.client.renewals()).toMatchObject([{ deviceId: 'gw-1', state: 'failed', cause: 'rollout' }]);
  });

  it('are taken back from a device that was not asked yet', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    await fleet(core, 1);
    const device = [...core.gateways.devices.values()][0]!;
    const { id } = await start(core, { kind: 'certificate' }, { phases: [{ size: 'rest' }] });
    await core.client.changeRollout(id, 'abort', {});
    // Either it was asked at once and goes on, or nothing of it is left.
    const asked = device.requests.some(({ row: { type } }) => type === 'certificate.renew');
    expect(await stateOf(core, id)).toEqual(asked ? { offered: 1 } : { cancelled: 1 });
    expect(await core.client.renewals()).toHaveLength(asked ? 1 : 0);
  });
});

describe('another agent under the policy of a rollout', () => {
  it('goes to the canary first, and to the others once it is proven; a device that goes back from it halts', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const { client } = core;
    const privateKeyPath = await keys(core);
    const agentFile = join(directory.path, 'agent.js');
    await writeFile(agentFile, '// an agent\n');
    const outputPath = join(directory.path, 'agent.fw');
    await buildAgentBundle({ agentFile, version: '2.0.0', outputPath, privateKeyPath });
    const release = await client.publish(outputPath, { channel: 'stable' });
    const [one, two, three] = (await fleet(core, 3)) as [FakeDevice, FakeDevice, FakeDevice];
    const offers = (device: FakeDevice) =>
      device.requests.filter(({ row }) => row.type === 'agent.offer').map(({ row }) => row.key);

    await expect(client.startRollout({ release: release.id, selector: '*', expect: 3 })).rejects.toMatchObject({
      code: 'release-no-firmware',
    });
    const { updateId } = await client.updateAgents({ selector: 'gw-3', release: release.id });
    const action = { kind: 'agent-update', release: 'flotilla-agent/2.0.0' } as const;
    const plan = await client.planRollout({ action, selector: 'gw-*', phases });
    expect(plan).toMatchObject({ release: { id: release.id, bundleUuid: release.bundleUuid } });
    expect(plan).toMatchObject({ devices: 3, bytes: 3 * release.sizeBytes });
    const { id } = await client.applyRollout(plan);
    const tell = async (device: FakeDevice, key: string, state: string, over: object = {}): Promise<void> => {
      const event = { rolloutId: key, bundleUuid: release.bundleUuid, state, attempt: 1, source: 'agent', ...over };
      device.say('flotilla.update', event, { key });
      await device.heard();
    };
    const proof = (bundleUuid: string) => ({
      evidence: {
        before: { bootId: 'b', version: '1.0.0' },
        after: { bootId: 'b', bundleUuid, version: '2.0.0' },
        health: [{ name: 'coordinator', ok: true, durationMs: 1 }],
        coordinatorReached: true,
        downloadedBytes: release.sizeBytes,
        decidedAtMs: 1_700_000_000_000,
      },
    });

    expect([offers(one), offers(two), offers(three)]).toEqual([[`${id}-agent`], [], [updateId]]);
    expect(one.blobs).toContain(release.sha256);
    await tell(one, `${id}-agent`, 'downloading');
    expect(await stateOf(core, id)).toEqual({ running: 1, waiting: 2 });
    await tell(one, `${id}-agent`, 'committed', proof(release.bundleUuid));
    expect(await client.rollout(id)).toMatchObject({
      counts: { committed: 1, offered: 1, queued: 1 },
      devices: [{ proof: { kind: 'agent-update', updateId: `${id}-agent`, version: '2.0.0' } }, {}, {}],
    });
    const why = await client.why('gw-3', { rollout: id });
    expect(why.rules).toContainEqual({
      rule: 'agent-update',
      verdict: 'blocks',
      detail: `update ${updateId} of its agent is under way`,
    });
    // By hand, and without what would prove it; the rollout is next.
    await tell(three, updateId!, 'committed');
    expect(offers(three)).toEqual([updateId, `${id}-agent`]);

    const reason = { code: 'trial-exhausted', message: 'it did not prove itself in 3 starts' };
    await tell(two, `${id}-agent`, 'rolled-back', { reason, ...proof(release.bundleUuid) });
    expect(await client.rollout(id)).toMatchObject({ devices: [{}, { state: 'rolled-back', reason }, {}] });
    await tell(three, `${id}-agent`, 'failed', { reason: { code: 'no-room', message: 'no room' } });
    expect((await client.rollout(id)).counts).toEqual({ committed: 1, 'rolled-back': 1, failed: 1 });
    const rows: RolloutRecordingRow[] = [];
    for await (const row of client.rolloutRecording(id)) rows.push(row);
    expect((await replayRecording(rows)).differences).toEqual([]);
  });

  it('is taken back from a device that was not sent it, and may be brought again', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const { client } = core;
    const privateKeyPath = await keys(core);
    const agentFile = join(directory.path, 'agent.js');
    await writeFile(agentFile, '// an agent\n');
    const outputPath = join(directory.path, 'agent.fw');
    await buildAgentBundle({ agentFile, version: '2.0.0', outputPath, privateKeyPath });
    await client.publish(outputPath, { channel: 'stable' });
    // It has not said what it takes: the offer waits for that.
    const device = core.gateways.connect(await enroll(client, 'gw-1'));
    await device.admitted.promise;
    const action = { kind: 'agent-update', release: 'flotilla-agent/2.0.0' } as const;
    const { id } = await start(core, action, { expect: 1, phases: [{ size: 'rest' }] });
    expect(await stateOf(core, id)).toEqual({ offered: 1 });
    await client.changeRollout(id, 'abort', {});
    expect(await stateOf(core, id)).toEqual({ cancelled: 1 });
    expect((await client.device('gw-1')).agentUpdate).toMatchObject({ updateId: `${id}-agent`, state: 'cancelled' });
    const again = await start(core, action, { expect: 1, phases: [{ size: 'rest' }] });
    device.say('flotilla.accepts', { agentVersion: '1.0.0', accepts: requestVersions });
    await device.heard();
    expect(device.requests.map(({ row }) => row.key)).toEqual([`${again.id}-agent`]);
  });
});
