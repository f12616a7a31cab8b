import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { buildAgentBundle } from '../../../src/cli/agent-bundle.ts';
import { waitAgentUpdate } from '../../../src/cli/wait-agent-update.ts';
import type { UpdateEvent } from '../../../src/protocol/event.ts';
import { requestVersions } from '../../../src/protocol/request.ts';
import { eventually } from '../../support/eventually.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { startCore } from './core-bench.ts';
import { enroll } from './enroll.ts';
import { bundle, keys } from './signed-bundle.ts';

it('offers another agent to those that take it, and keeps what became of it', async () => {
  await using directory = await temporaryDirectory();
  await using core = await startCore(directory.path);
  const { client, gateways } = core;
  const privateKeyPath = await keys(core);
  const agentFile = join(directory.path, 'agent.js');
  await writeFile(agentFile, '// an agent\n');
  await mkdir(join(directory.path, 'out'));
  const fw = join(directory.path, 'out', 'agent.fw');
  await buildAgentBundle({ agentFile, version: '2.0.0', outputPath: fw, privateKeyPath });
  const release = await client.publish(fw, { channel: 'stable' });
  const meter = await client.publish(await bundle(directory.path, '1.0.0', privateKeyPath), { channel: 'stable' });
  expect(release).toMatchObject({ id: 'flotilla-agent/2.0.0/stable', product: 'flotilla-agent' });

  const one = gateways.connect(await enroll(client, 'd-1'));
  const two = gateways.connect(await enroll(client, 'd-2'));
  await Promise.all([one.admitted.promise, two.admitted.promise]);
  const before = { bootId: 'boot', version: '1.0.0' };
  one.say('flotilla.boot', { running: { bootId: 'boot' }, agentVersion: '1.0.0' });
  one.say('flotilla.accepts', { agentVersion: '1.0.0', accepts: requestVersions });
  await one.heard();

  const order = { selector: 'd-*', release: 'flotilla-agent/2.0.0' };
  await expect(client.updateAgents({ ...order, release: meter.id })).rejects.toMatchObject({
    code: 'release-no-agent',
  });
  await expect(client.startRollout(order)).rejects.toMatchObject({ code: 'release-no-firmware' });
  await expect(client.updateAgents({ ...order, selector: 'x-*' })).rejects.toMatchObject({ fault: 'none-matched' });
  await expect(client.updateAgents({ ...order, max: 1 })).rejects.toMatchObject({ fault: 'refused' });
  const plan = await client.updateAgents({ ...order, dryRun: true });
  expect(plan.updateId).toBeUndefined();
  expect(plan.devices).toEqual([
    { deviceId: 'd-1', state: 'sent' },
    { deviceId: 'd-2', state: 'too-old' },
  ]);
  const { updateId } = await client.updateAgents(order);
  const offers = one.requests.filter(({ row }) => row.type === 'agent.offer');
  expect(offers).toHaveLength(1);
  expect(two.requests).toHaveLength(0);
  expect(one.blobs).toContain(release.sha256);
  expect(await client.updateAgents(order)).toMatchObject({ devices: [{ state: 'busy' }, { state: 'too-old' }] });

  expect(await client.agentUpdate(updateId!)).toEqual({ updateId, devices: [{ deviceId: 'd-1', state: 'offered' }] });
  await expect(client.agentUpdate('a-none')).rejects.toMatchObject({ code: 'agent-update-unknown' });
  const seen: string[] = [];
  const wait = (timeoutMs: number) =>
    waitAgentUpdate(
      client,
      { updateId: updateId!, deviceIds: ['d-1', 'd-9'] },
      { timeoutMs, onChange: ({ deviceId, state }) => seen.push(`${deviceId} ${state}`) },
    );
  expect(await wait(1)).toEqual([
    { deviceId: 'd-1', state: 'offered' },
    { deviceId: 'd-9', state: 'gone' },
  ]);
  const waiting = wait(60_000);

  const tell = async (state: UpdateEvent['state'], over: Partial<UpdateEvent> = {}): Promise<void> => {
    const event = { rolloutId: updateId!, bundleUuid: release.bundleUuid, state, attempt: 1, source: 'agent', ...over };
    one.say('flotilla.update', event, { key: updateId! });
    await one.heard();
  };
  await tell('testing');
  expect((await client.device('d-1')).agentUpdate).toMatchObject({ updateId, state: 'testing' });

  await eventually('it is seen', () => seen.includes('d-1 testing'));

  // A word of success without what proves it is none.
  const evidence = { before, after: before, health: [], downloadedBytes: 1, decidedAtMs: 1_700_000_000_000 };
  await tell('committed', { evidence });
  expect((await client.device('d-1')).agentUpdate).toMatchObject({
    state: 'failed',
    reason: { code: 'evidence-insufficient' },
  });
  expect(await waiting).toMatchObject([
    { deviceId: 'd-1', state: 'failed', reason: { code: 'evidence-insufficient' } },
    { deviceId: 'd-9', state: 'gone' },
  ]);
  expect(await client.deviceUpdates('d-1', { source: 'agent' })).toMatchObject([
    { id: updateId, source: 'agent', state: 'failed', product: 'flotilla-agent', version: '2.0.0' },
  ]);

  // One that was gone back from is not offered again until somebody allows it.
  const again = await client.updateAgents({ ...order, selector: 'd-1' });
  const reason = { code: 'trial-exhausted', message: 'it did not prove itself in 3 starts' };
  const rolledBack = { ...evidence, decidedAtMs: 1_700_000_001_000 };
  const event = { bundleUuid: release.bundleUuid, attempt: 1, source: 'agent', reason, evidence: rolledBack };
  one.say('flotilla.update', { ...event, rolloutId: again.updateId!, state: 'rolled-back' }, { key: again.updateId! });
  await one.heard();
  expect(await client.device('d-1')).toMatchObject({
    quarantinedBundles: [release.bundleUuid],
    agentUpdate: { state: 'rolled-back', reason },
  });
  expect((await client.updateAgents({ ...order, selector: 'd-1' })).devices).toEqual([
    { deviceId: 'd-1', state: 'reverted' },
  ]);
  await client.allowBundle({ selector: 'd-1', bundle: release.id });
  expect((await client.updateAgents({ ...order, selector: 'd-1' })).devices).toEqual([
    { deviceId: 'd-1', state: 'sent' },
  ]);

  // One that waits for its device is replaced by the next; one that was sent is not.
  expect((await client.updateAgents({ ...order, selector: 'd-1' })).devices).toEqual([
    { deviceId: 'd-1', state: 'busy' },
  ]);
  const lost = await client.device('d-1');
  one.say(
    'flotilla.update',
    { ...event, rolloutId: lost.agentUpdate!.updateId, state: 'cancelled' },
    { key: lost.agentUpdate!.updateId },
  );
  await one.heard();
  one.leave();
  const [first, second] = [
    await client.updateAgents({ ...order, selector: 'd-1' }),
    await client.updateAgents({ ...order, selector: 'd-1' }),
  ];
  expect([first.devices, second.devices].flat().map(({ state }) => state)).toEqual(['waiting', 'waiting']);
  const replaced = { updateId: first.updateId!, deviceIds: ['d-1'] };
  expect(await waitAgentUpdate(client, replaced, { timeoutMs: 60_000, onChange: () => undefined })).toEqual([
    { deviceId: 'd-1', state: 'gone' },
  ]);
  await expect(client.agentUpdate(first.updateId!)).rejects.toMatchObject({ code: 'agent-update-unknown' });
  expect(await client.agentUpdate(second.updateId!)).toMatchObject({ devices: [{ state: 'offered' }] });
});
