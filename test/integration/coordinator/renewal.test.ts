/** What the coordinator makes of renewals: whom it asks, what it signs, what it takes as proof, and when an old certificate is worth nothing. */
import type { KeyObject } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { defaultCoordinatorConfig, type CoordinatorConfig } from '../../../src/config/index.ts';
import type { PeerIdentity } from '../../../src/coordinator/gateway/port.ts';
import { encodeCsr } from '../../../src/pki/create-csr.ts';
import { createKey, parseCertificate, parseDeviceIdentity } from '../../../src/pki/index.ts';
import { requestVersions } from '../../../src/protocol/request.ts';
import { eventually } from '../../support/eventually.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { startCore, type CoreBench, type FakeDevice } from './core-bench.ts';
import { enroll } from './enroll.ts';

const authoritySha256 = '0'.repeat(64);
const certificates = (over: Partial<CoordinatorConfig['certificates']>) => ({
  certificates: { ...defaultCoordinatorConfig.certificates, ...over },
});
const renewalId = (n: number): string => n.toString(16).padStart(16, '0');

async function come(core: CoreBench, identity: PeerIdentity, over: { nextSeq?: number[] } = {}): Promise<FakeDevice> {
  const device = core.gateways.connect(identity, over);
  await device.admitted.promise;
  if (over.nextSeq !== undefined) device.seq.splice(0, 4, ...over.nextSeq);
  device.say('flotilla.accepts', { agentVersion: '1.0.0', accepts: requestVersions });
  await device.heard();
  return device;
}

function ask(device: FakeDevice, id: string, n: number, key: KeyObject): void {
  const csr = encodeCsr(id, key).toString('base64');
  const value = { renewalId: renewalId(n), csr, cause: 'asked', authoritySha256 };
  device.say('flotilla.certificate-request', value, { key: renewalId(n) });
}

const answer = async (device: FakeDevice, n: number): Promise<any> =>
  eventually(`the answer to renewal ${n}`, () => {
    const rows = device.requests.filter(({ row: { type } }) => type === 'certificate.install');
    const payloads = rows.map(({ row: { payload } }) => JSON.parse(Buffer.from(payload).toString()));
    return payloads.find((payload) => payload.renewalId === renewalId(n));
  });

function identityOf({ certificate }: { certificate: string }): PeerIdentity {
  const parsed = parseCertificate(Buffer.from(certificate, 'base64'));
  return { ...parseDeviceIdentity(parsed), authority: 'issuing-1' };
}

describe('a renewal', () => {
  it('is asked for, signed, proven by a connection, and then the old certificate is refused', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path, certificates({ overlapSeconds: 0 }));
    const old = await enroll(core.client, 'gw-1');
    const device = await come(core, old);
    expect(await core.client.renewCertificates({ selector: 'gw-1' })).toEqual({ changed: ['gw-1'], unchanged: [] });
    expect(await core.client.renewCertificates({ selector: 'gw-1' })).toEqual({ changed: [], unchanged: ['gw-1'] });
    expect((await device.request('certificate.renew')).payload).toEqual({ cause: 'operator' });
    ask(device, 'gw-1', 1, await createKey());
    const given = await answer(device, 1);
    expect(given.authority).toHaveLength(2);
    const next = identityOf(given);
    expect(await core.client.renewals()).toMatchObject([{ state: 'issued', serial: next.serialHex }]);
    expect(await core.client.certificate(old.serialHex)).not.toHaveProperty('replacedBy');

    // The old one may still come: nothing is proven yet.
    device.leave();
    const again = core.gateways.connect(old, { nextSeq: [...device.seq] });
    await again.admitted.promise;
    again.leave();
    const proved = core.gateways.connect(next, { nextSeq: [...device.seq] });
    await proved.admitted.promise;
    expect(await core.client.renewals()).toEqual([]);
    expect(await core.client.certificate(next.serialHex)).toMatchObject({
      renews: old.serialHex,
      provenAtMs: expect.any(Number),
    });
    expect(await core.client.certificate(old.serialHex)).toMatchObject({ replacedBy: next.serialHex });
    proved.leave();
    const late = core.gateways.connect(old, { nextSeq: [...device.seq] });
    expect(await late.refused.promise).toBe('replaced');
  });

  it('is refused for a key that was used, for another name, for what is no request, and too often', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path, certificates({ renewalsPerDay: 1 }));
    const device = await come(core, await enroll(core.client, 'gw-1'));
    const key = await createKey();
    const say = async (n: number, csr: string): Promise<any> => {
      const value = { renewalId: renewalId(n), csr, cause: 'due', authoritySha256 };
      device.say('flotilla.certificate-request', value, { key: renewalId(n) });
      return (await answer(device, n)).refused;
    };
    expect(await say(1, encodeCsr('gw-2', key).toString('base64'))).toMatchObject({ code: 'other-device' });
    expect(await say(2, Buffer.from('nonsense').toString('base64'))).toMatchObject({ code: 'pki-csr-malformed' });
    const broken = encodeCsr('gw-1', key);
    broken[broken.length - 5]! ^= 1;
    expect(await say(3, broken.toString('base64'))).toMatchObject({ code: 'pki-csr-signature' });
    expect(await core.client.certificates()).toHaveLength(1);

    const csr = encodeCsr('gw-1', key).toString('base64');
    const value = { renewalId: renewalId(4), csr, cause: 'due', authoritySha256 };
    device.say('flotilla.certificate-request', value, { key: renewalId(4) });
    const first = await answer(device, 4);
    // The same key again, because the answer got lost: the same certificate, and none more.
    device.say('flotilla.certificate-request', { ...value, renewalId: renewalId(5) }, { key: renewalId(5) });
    expect((await answer(device, 5)).certificate).toBe(first.certificate);
    expect(await core.client.certificates()).toHaveLength(2);
    expect(await say(6, encodeCsr('gw-1', await createKey()).toString('base64'))).toMatchObject({
      code: 'too-often',
      retryAfterMs: expect.any(Number),
    });

    device.leave();
    const next = identityOf(first);
    const proved = core.gateways.connect(next, { nextSeq: [...device.seq] });
    await proved.admitted.promise;
    proved.seq.splice(0, 4, ...device.seq);
    const used = { ...value, renewalId: renewalId(7) };
    proved.say('flotilla.certificate-request', used, { key: renewalId(7) });
    expect((await answer(proved, 7)).refused).toMatchObject({ code: 'key-used' });
    // Another device with that key.
    const other = await come(core, await enroll(core.client, 'gw-2'));
    ask(other, 'gw-2', 8, key);
    expect((await answer(other, 8)).refused).toMatchObject({ code: 'key-used' });
  });

  it('asks no more devices at a time than it is told, and goes on as they prove theirs', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path, certificates({ renewInFlight: 2 }));
    const ids = ['a', 'b', 'c', 'd', 'e'];
    const devices = new Map<string, FakeDevice>();
    for (const id of ids) devices.set(id, await come(core, await enroll(core.client, id)));
    await core.client.renewCertificates({ selector: '*' });
    const asked = (): string[] =>
      ids.filter((id) => devices.get(id)!.requests.some(({ row: { type } }) => type === 'certificate.renew'));
    await eventually('two are asked', () => asked().length === 2);
    expect((await core.client.renewals()).map(({ state }) => state).toSorted()).toEqual([
      'asked',
      'asked',
      'wanted',
      'wanted',
      'wanted',
    ]);
    const done = new Set<string>();
    for (let n = 0; n < ids.length; n += 1) {
      const id = await eventually('one more', () => asked().find((one) => !done.has(one)));
      done.add(id);
      const device = devices.get(id)!;
      ask(device, id, n + 1, await createKey());
      const next = identityOf(await answer(device, n + 1));
      device.leave();
      await core.gateways.connect(next, { nextSeq: [...device.seq] }).admitted.promise;
      expect(asked().length).toBeLessThanOrEqual(Math.min(ids.length, n + 3));
    }
    expect(await core.client.renewals()).toEqual([]);
  });

  it('takes the word of a device that went back: the old certificate is in use again', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const old = await enroll(core.client, 'gw-1');
    const device = await come(core, old);
    await core.client.renewCertificates({ selector: 'gw-1' });
    ask(device, 'gw-1', 1, await createKey());
    const next = identityOf(await answer(device, 1));
    device.leave();
    const proved = core.gateways.connect(next, { nextSeq: [...device.seq] });
    await proved.admitted.promise;
    proved.leave();
    const back = core.gateways.connect(old, { nextSeq: [...device.seq] });
    await back.admitted.promise;
    back.seq.splice(0, 4, ...device.seq);
    const reason = { code: 'not-connected', message: 'it did not connect' };
    const value = { renewalId: renewalId(1), outcome: 'failed', serial: next.serialHex, via: 'link', reason };
    back.say('flotilla.certificate', value, { key: renewalId(1) });
    await back.heard();
    expect(await core.client.certificate(old.serialHex)).not.toHaveProperty('replacedBy');
    expect(await core.client.certificate(next.serialHex)).toMatchObject({ replacedBy: old.serialHex });
  });

  it('is kept over a restart, and signed by the next process', async () => {
    await using directory = await temporaryDirectory();
    let identity: PeerIdentity;
    {
      await using core = await startCore(directory.path);
      identity = await enroll(core.client, 'gw-1');
      await core.client.renewCertificates({ selector: 'gw-1' });
      expect(await core.client.renewals()).toMatchObject([{ state: 'wanted', reason: 'the device is away' }]);
    }
    await using core = await startCore(directory.path);
    expect(await core.client.renewals()).toMatchObject([{ state: 'wanted' }]);
    const device = await come(core, identity);
    await device.request('certificate.renew');
    await core.client.revoke({ subject: 'gw-1', reason: 'stolen' });
    ask(device, 'gw-1', 1, await createKey());
    await eventually('it is not signed', async () => (await core.client.renewals())[0]?.state !== 'requested');
    expect(await core.client.certificates()).toHaveLength(1);
  });
});
