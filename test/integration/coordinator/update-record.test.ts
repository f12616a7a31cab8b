import { createPrivateKey, X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createDeviceKeyAndCsr } from '../../../src/pki/index.ts';
import type { UpdateEvent } from '../../../src/protocol/event.ts';
import { enrollSigner, receiptBody, receiptOf } from '../../support/sign-receipt.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { fleetId, startCore } from './core-bench.ts';
import { enroll } from './enroll.ts';

const after = { bootId: 'boot-2', slot: 'b', bundleUuid: 'c4fdd982-e737-5bdd-a446-016438174a14', version: '2.0.0' };

function ended(rolloutId: string, change: Partial<UpdateEvent> = {}, decidedAtMs = 1_700_000_000_000): UpdateEvent {
  return {
    rolloutId,
    bundleUuid: after.bundleUuid,
    state: 'committed',
    attempt: 1,
    evidence: {
      before: { bootId: 'boot-1', slot: 'a', version: '1.0.0' },
      after,
      health: [],
      downloadedBytes: 1_000,
      decidedAtMs,
    },
    ...change,
  };
}

describe('the history of a device', () => {
  it('has each end of an update once, and believes no success without evidence', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const device = core.gateways.connect(await enroll(core.client, 'd-1'));
    await device.admitted.promise;
    const tell = (event: UpdateEvent) => device.say('flotilla.update', event, { key: event.rolloutId });
    tell(ended('r-1')); // before the coordinator has seen that boot
    device.say('flotilla.boot', { running: after, agentVersion: '1.0.0' });
    tell(ended('r-2', {}, 1_700_000_001_000));
    tell(ended('r-2', {}, 1_700_000_001_000)); // told again
    tell(ended('r-3', { state: 'rolled-back', reason: { code: 'health-check', message: 'meter' } }, 1_700_000_002_000));
    for (let times = 0; times < 3; times++) {
      tell({ ...ended('r-4'), state: 'rejected', reason: { code: 'busy', message: 'x' }, evidence: undefined! });
    }
    tell({ ...ended('r-5'), state: 'installing' });
    await device.heard();
    const history = await core.client.deviceUpdates('d-1');
    expect(history.map(({ id, state }) => `${id} ${state}`).sort()).toEqual([
      'r-1 failed',
      'r-2 committed',
      'r-3 rolled-back',
      'r-4 rejected',
    ]);
    expect(history.find(({ id }) => id === 'r-1')?.reason?.code).toBe('evidence-insufficient');
    expect(history.find(({ id }) => id === 'r-2')).toMatchObject({
      source: 'rollout',
      fromVersion: '1.0.0',
      evidence: { after },
    });
    const ids = async (query: object) => (await core.client.deviceUpdates('d-1', query)).map(({ id }) => id);
    expect(await ids({ state: 'rolled-back' })).toEqual(['r-3']);
    expect(await ids({ sinceMs: 1_700_000_001_500, state: 'committed' })).toEqual([]);
    expect(await ids({ limit: 1 })).toHaveLength(1);
    await core.client.removeDevice('d-1');
    expect(await ids({})).toEqual([]);
  });

  it('is bounded', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const device = core.gateways.connect(await enroll(core.client, 'd-1'));
    await device.admitted.promise;
    for (let at = 0; at < 230; at++) {
      const event = ended(`r-${at}`, { state: 'failed' }, 1_700_000_000_000 + at);
      device.say('flotilla.update', event, { key: event.rolloutId });
    }
    await device.heard();
    const history = await core.client.deviceUpdates('d-1', { limit: 200 });
    expect(history).toHaveLength(200);
    expect([history[0]?.id, history.at(-1)?.id]).toEqual(['r-229', 'r-30']);
  });
});

describe('a receipt of an update from a file', () => {
  it('counts once, whether it is carried or comes over the link, and after a restart of the coordinator', async () => {
    await using directory = await temporaryDirectory();
    const receipt = await (async () => {
      await using core = await startCore(directory.path);
      const signer = await enrollSigner(core.client, 'd-1');
      const carried = receiptOf(receiptBody(fleetId, 'd-1'), signer);
      expect(await core.client.takeReceipt(carried)).toMatchObject({
        outcome: 'accepted',
        record: { deviceId: 'd-1', source: 'file', state: 'committed', receipt: { serial: signer.serial } },
      });
      expect(await core.client.takeReceipt(carried)).toMatchObject({ outcome: 'known' });
      return carried;
    })();
    await using core = await startCore(directory.path);
    expect(await core.client.takeReceipt(receipt)).toMatchObject({ outcome: 'known' });
    expect(await core.client.deviceUpdates('d-1')).toHaveLength(1);
  });

  it('comes over the link beside the update that it is of, and is the same row', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const signer = await enrollSigner(core.client, 'd-1');
    const body = receiptBody(fleetId, 'd-1');
    const { serial } = signer;
    const identity = { ...(await enroll(core.client, 'd-2')), deviceId: 'd-1', serialHex: serial };
    const fingerprintSha256Hex = signer.certificate.fingerprint256.replaceAll(':', '').toLowerCase();
    const device = core.gateways.connect({ ...identity, fingerprintSha256Hex });
    await device.admitted.promise;
    device.say('flotilla.boot', { running: body.event.evidence!.after, agentVersion: '1.0.0' });
    const id = body.event.rolloutId;
    device.say('flotilla.receipt', { id, receipt: receiptOf(body, signer) }, { key: id });
    device.say('flotilla.update', body.event, { key: id });
    await device.heard();
    const history = await core.client.deviceUpdates('d-1');
    expect(history).toHaveLength(1);
    expect(history[0]).toMatchObject({ id, state: 'committed', receipt: { serial, by: 'link' } });
    expect(await core.client.takeReceipt(receiptOf(body, signer))).toMatchObject({ outcome: 'accepted' });
    expect(await core.client.deviceUpdates('d-1')).toHaveLength(1);
  });

  it('is refused when it is forged, altered, foreign, or of a revoked certificate', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const one = await enrollSigner(core.client, 'd-1');
    const two = await enrollSigner(core.client, 'd-2');
    const good = receiptOf(receiptBody(fleetId, 'd-1'), one);
    const { privateKeyPem } = await createDeviceKeyAndCsr('d-1');
    const forger = { key: createPrivateKey(privateKeyPem), certificate: one.certificate };
    const cases: [string, Parameters<typeof core.client.takeReceipt>[0]][] = [
      ['receipt-signature', { ...good, body: good.body.replace('committed', 'failed') }],
      ['receipt-signature', receiptOf(receiptBody(fleetId, 'd-1'), forger)],
      ['receipt-signature', { ...good, certificate: two.certificate.raw.toString('base64') }],
      ['receipt-signature', { ...good, signature: good.signature.slice(0, 20) }],
      ['receipt-foreign', receiptOf(receiptBody(fleetId, 'd-2'), one)],
      ['receipt-foreign', receiptOf(receiptBody('other-fleet', 'd-1'), one)],
      ['receipt-certificate', { ...good, certificate: 'AAAA' }],
      ['receipt-malformed', receiptOf({ ...receiptBody(fleetId, 'd-1'), version: 2 as 1 }, one)],
      ['receipt-malformed', receiptOf(receiptBody(fleetId, 'd-1', { state: 'testing' }), one)],
      ['receipt-malformed', receiptOf(receiptBody(fleetId, 'd-1', { source: undefined! }), one)],
    ];
    for (const [code, receipt] of cases) {
      await expect(core.client.takeReceipt(receipt), code).rejects.toMatchObject({ code, fault: 'refused' });
    }
    // A success that its own evidence does not show is on record as what it is.
    const body = receiptBody(fleetId, 'd-1', { rolloutId: 'f-2' });
    body.event.evidence!.after!.bootId = 'boot-1';
    expect(await core.client.takeReceipt(receiptOf(body, one))).toMatchObject({
      record: { state: 'failed', reason: { code: 'evidence-insufficient' } },
    });
    await core.client.revoke({ subject: one.serial, reason: 'stolen' });
    await expect(core.client.takeReceipt(good)).rejects.toMatchObject({ code: 'receipt-revoked' });
    expect((await core.client.deviceUpdates('d-1')).map(({ id }) => id)).toEqual(['f-2']);
  });

  it('over the link of another device is told, and changes nothing', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const signer = await enrollSigner(core.client, 'd-1');
    const other = core.gateways.connect(await enroll(core.client, 'd-2'));
    await other.admitted.promise;
    const body = receiptBody(fleetId, 'd-1');
    const id = body.event.rolloutId;
    other.say('flotilla.receipt', { id, receipt: receiptOf(body, signer) }, { key: id });
    await other.heard();
    expect(await core.client.deviceUpdates('d-1')).toEqual([]);
    expect(await core.client.deviceUpdates('d-2')).toEqual([]);
    expect(new X509Certificate(signer.certificate.raw).subject).toContain('d-1');
  });
});
