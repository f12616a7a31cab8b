import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../../support/temporary.ts';
import { startCore, type CoreBench, type FakeDevice } from './core-bench.ts';
import { enroll } from './enroll.ts';

const valve = { type: 'valve.Close', key: 'v-1', value: { slow: true } };
const accepts = { agentVersion: '1.0.0', accepts: { 'product.request': 1, 'product.request:valve.Close': 1 } };

async function replies(core: CoreBench): Promise<unknown[]> {
  const events = await core.client.events({ from: 1, type: '*.reply' });
  return events.map(({ type, key, payload }) => ({ ...(payload as object), type, key }));
}

async function announced(core: CoreBench, ...given: Parameters<CoreBench['gateways']['connect']>): Promise<FakeDevice> {
  const device = core.gateways.connect(...given);
  await device.admitted.promise;
  device.say('flotilla.accepts', accepts);
  await device.heard();
  return device;
}

describe('a request to a program on a device', () => {
  it('is stored with its audit, delivered, and its reply is found behind the offset that was told', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const identity = await enroll(core.client, 'gw-1');
    const sent = await core.client.sendRequest('gw-1', { ...valve, expiresSeconds: 60 });
    expect(sent).toMatchObject({
      requestId: expect.stringMatching(/^q-/),
      deviceId: 'gw-1',
      type: 'valve.Close',
      key: 'v-1',
    });
    const device = await announced(core, identity);
    const { seq, payload } = await device.request('product.request');
    expect(payload).toEqual({ requestId: sent.requestId, ...valve, expiresAtMs: sent.expiresAtMs });
    device.confirm(seq);
    const { requestId } = sent;
    device.say('flotilla.reply', { requestId, type: valve.type, outcome: 'done', value: 90 }, { key: requestId });
    await device.heard();
    const [reply] = await core.client.events({ from: sent.afterOffset + 1, type: '*.reply' });
    expect(reply).toMatchObject({ key: requestId, payload: { outcome: 'done', value: 90 } });
    const database = new DatabaseSync((await core.client.status()).store.path, { readOnly: true });
    expect(database.prepare("SELECT subject FROM audit WHERE action = 'device.send'").all()).toEqual([
      { subject: 'gw-1' },
    ]);
    database.close();
  });

  it('is refused for a device that is not known or not accepted, and when it is too large', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    await enroll(core.client, 'gw-1', true);
    await expect(core.client.sendRequest('gw-9', valve)).rejects.toMatchObject({
      code: 'device-unknown',
      fault: 'usage',
    });
    await expect(core.client.sendRequest('gw-1', valve)).rejects.toMatchObject({ code: 'device-not-accepted' });
    await core.client.acceptDevices('gw-1');
    const large = { ...valve, value: 'x'.repeat(262_144) };
    await expect(core.client.sendRequest('gw-1', large)).rejects.toMatchObject({ code: 'request-too-large' });
    await expect(core.client.sendRequest('gw-1', { ...valve, type: 'a b' })).rejects.toMatchObject({ fault: 'usage' });
  });

  it('that never reached the device ends as expired, by the word of the coordinator', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    await enroll(core.client, 'gw-1');
    const { requestId, afterOffset } = await core.client.sendRequest('gw-1', { ...valve, expiresSeconds: 0.1 });
    for await (const event of core.client.followEvents({ from: afterOffset + 1, type: '*.reply' })) {
      expect(event).toMatchObject({
        deviceId: 'gw-1',
        type: 'coordinator.reply',
        key: requestId,
        payload: { requestId, type: 'valve.Close', outcome: 'expired' },
      });
      break;
    }
  });

  it('that was sent to a history that is lost, or to a device that is removed, is never run twice', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const identity = await enroll(core.client, 'gw-1');
    const before = await announced(core, identity);
    const first = await core.client.sendRequest('gw-1', valve);
    await before.request('product.request');
    before.leave();
    const wiped = await announced(core, identity, { instanceId: 0xb2n });
    expect(await replies(core)).toMatchObject([
      { type: 'coordinator.reply', key: first.requestId, outcome: 'unknown' },
    ]);
    expect(wiped.requests).toEqual([]);
    wiped.leave();
    const second = await core.client.sendRequest('gw-1', valve);
    await core.client.removeDevice('gw-1');
    expect((await replies(core)).at(-1)).toMatchObject({ key: second.requestId, reason: 'the device was removed' });
  });
});
