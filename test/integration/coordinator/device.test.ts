import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { changeOf } from '../../../src/agent/grain/grain-change.ts';
import { HttpConnection } from '../../../src/client/http-connection.ts';
import { Lane } from '../../../src/protocol/lane.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { row, startCore } from './core-bench.ts';
import { enroll } from './enroll.ts';

describe('an identity', () => {
  it('is signed, connects, tells what it is, and leaves with its traffic counted', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const identity = await enroll(core.client, 'gw-1');
    const device = core.gateways.connect(identity);
    expect((await device.admitted.promise).eventCursor).toEqual([0, 0, 0, 0]);
    device.say('flotilla.boot', { running: { bootId: 'b1', slot: 'a' }, agentVersion: '1.0.0' });
    device.say('flotilla.grains', { grains: { os: 'linux', site: 'harbour' } }, { lane: Lane.state });
    await device.heard();
    await device.heard(Lane.state);
    expect(await core.client.device('gw-1')).toMatchObject({
      state: 'accepted',
      connected: true,
      address: '192.0.2.1:4000',
      grains: { site: 'harbour' },
      running: { bootId: 'b1' },
      certificate: { serial: identity.serialHex },
    });
    device.leave('ping timeout');
    await expect
      .poll(async () => await core.client.device('gw-1'))
      .toMatchObject({ connected: false, traffic: { receivedBytes: 10, sentBytes: 20 } });
    const events = await core.client.events({ limit: 100, selector: 'gw-1' });
    expect(events.map(({ type }) => type)).toEqual([
      'coordinator.certificate-issued',
      'coordinator.connected',
      'flotilla.boot',
      'flotilla.grains',
      'coordinator.disconnected',
    ]);
    expect(events.at(-1)!.payload).toMatchObject({ reason: 'ping timeout' });
  });

  it('tells what has changed of its grains, and all of them again when that was not made from what is known', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const identity = await enroll(core.client, 'gw-1');
    const device = core.gateways.connect(identity);
    await device.admitted.promise;
    const [first, second, third] = [{ os: 'linux', site: 'fra' }, { os: 'linux', site: 'zrh' }, { site: 'zrh' }];
    device.say('flotilla.grains', { grains: first }, { lane: Lane.state });
    device.say('flotilla.grains-change', changeOf(first, second), { lane: Lane.state });
    await device.heard(Lane.state);
    expect((await core.client.match({ selector: 'G@site:zrh' })).ids).toEqual(['gw-1']);
    expect((await core.client.match({ selector: 'G@site:fra' })).ids).toEqual([]);
    device.say('flotilla.grains-change', changeOf(second, third), { lane: Lane.state });
    await device.heard(Lane.state);
    expect((await core.client.device('gw-1')).grains).toEqual(third);
    expect(device.requests).toEqual([]);
    // It was removed and let in again: what it said before is forgotten here, and not there.
    await core.client.removeDevice('gw-1');
    device.leave('removed');
    const again = core.gateways.connect(await enroll(core.client, 'gw-1'), { nextSeq: device.seq });
    await again.admitted.promise;
    again.seq.splice(0, 4, ...device.seq);
    again.say('flotilla.grains-change', changeOf(third, second), { lane: Lane.state });
    again.say('flotilla.grains-change', changeOf(second, first), { lane: Lane.state });
    await again.request('grains.refresh');
    expect(again.requests.filter(({ row: { type } }) => type === 'grains.refresh')).toHaveLength(1);
    expect((await core.client.device('gw-1')).grains).toEqual({});
    again.say('flotilla.grains', { grains: first }, { lane: Lane.state });
    await expect.poll(async () => (await core.client.device('gw-1')).grains).toEqual(first);
  });

  it('waits in pending when it is valid and unknown, and comes in once it is accepted', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const known = await enroll(core.client, 'gw-1');
    await core.client.removeDevice('gw-1');
    const stranger = { ...known, serialHex: 'feed01' };
    const device = core.gateways.connect(stranger);
    expect(await device.admitted.promise).toMatchObject({ standing: 'pending' });
    expect(await core.client.devices({ state: 'pending' })).toMatchObject([{ id: 'gw-1', connected: true }]);
    device.say('flotilla.boot', { running: { bootId: 'b1' }, agentVersion: '1.0.0' });
    await device.heard();
    await expect(
      core.client.startJob({ selector: 'gw-1', action: { kind: 'command', argv: ['true'] } }),
    ).rejects.toBeDefined();
    expect(await core.client.acceptDevices('gw-1')).toEqual({ changed: ['gw-1'], unchanged: [] });
    await device.opened.promise; // on the very connection
    await core.client.startJob({ selector: 'gw-1', action: { kind: 'command', argv: ['true'] } });
    await device.request('job.start');
    expect(device.requests).toHaveLength(1);
    expect((await core.client.certificates({ device: 'gw-1' })).map(({ serial }) => serial)).toContain('feed01');
  });

  it('is cut at once and kept out when it is revoked, also on a resumed connection', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const identity = await enroll(core.client, 'gw-1');
    const device = core.gateways.connect(identity);
    await device.admitted.promise;
    const revoked = await core.client.revoke({ subject: 'gw-1', reason: 'stolen' });
    expect(revoked).toMatchObject({ cutConnections: 1, revoked: [{ serial: identity.serialHex }] });
    expect(await device.closed.promise).toBe('revoked');
    expect(core.gateways.revoked).toContain(identity.serialHex);
    expect(await core.gateways.connect(identity, { resumed: true }).refused.promise).toBe('revoked');
  });

  it('has its older connection closed by the newer, and what the ghost still says is not heard', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const identity = await enroll(core.client, 'gw-1');
    const older = core.gateways.connect(identity);
    await older.admitted.promise;
    const newer = core.gateways.connect(identity);
    await newer.admitted.promise;
    await older.probed.promise;
    older.say('reading', { n: 1 });
    newer.say('reading', { n: 2 });
    await newer.heard();
    older.handler.probed(older.connection, false);
    expect(await older.closed.promise).toBe('superseded');
    older.leave();
    await expect.poll(async () => (await core.client.device('gw-1')).traffic.sentBytes).toBe(20);
    expect((await core.client.device('gw-1')).connected).toBe(true);
    expect((await core.client.events({ type: 'reading' })).map(({ payload }) => payload)).toEqual([{ n: 2 }]);
  });

  it('never mixes histories: repetitions are dropped, a set-back device is refused, a new id starts anew', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const identity = await enroll(core.client, 'gw-1');
    const device = core.gateways.connect(identity);
    await device.admitted.promise;
    const readings = [row('reading', 1), row('reading', 2), row('reading', 3)];
    device.handler.events(device.connection, Lane.bulk, 1, readings);
    device.handler.events(device.connection, Lane.bulk, 2, [...readings.slice(1), row('reading', 4)]);
    await expect.poll(() => device.acked[Lane.bulk]).toBe(4);
    const payloads = async () => (await core.client.events({ type: 'reading' })).map(({ payload }) => payload);
    expect(await payloads()).toEqual([1, 2, 3, 4]);

    const setBack = core.gateways.connect(identity, { nextSeq: [1, 1, 1, 3] });
    expect(await setBack.refused.promise).toBe('instance-mismatch');
    const anew = core.gateways.connect(identity, { instanceId: 0xb2n });
    await device.probed.promise;
    device.handler.probed(device.connection, false);
    expect((await anew.admitted.promise).eventCursor).toEqual([0, 0, 0, 0]);
    anew.handler.events(anew.connection, Lane.bulk, 1, [row('reading', 'new')]);
    await expect.poll(() => anew.acked[Lane.bulk]).toBe(1);
    const back = core.gateways.connect(identity, { nextSeq: [1, 1, 1, 5] });
    await anew.probed.promise;
    anew.leave();
    expect((await back.admitted.promise).eventCursor).toEqual([0, 0, 0, 4]);
    expect(await payloads()).toEqual([1, 2, 3, 4, 'new']);
  });

  it('parks an event that does not fit with its reason, and the lane moves on', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const device = core.gateways.connect(await enroll(core.client, 'gw-1'));
    await device.admitted.promise;
    device.say('flotilla.boot', { running: 'no', agentVersion: '1' });
    device.say('coordinator.revoked', {});
    device.say('flotilla.job', { jobId: 'a', state: 'started' }, { key: 'b' });
    device.say('flotilla.boot', { running: { bootId: 'b1' }, agentVersion: '1' });
    await device.heard();
    expect((await core.client.device('gw-1')).running).toEqual({ bootId: 'b1' });
    const dead = await core.client.events({ type: 'coordinator.dead-letter' });
    expect(dead.map(({ payload }) => (payload as { reason: string }).reason)).toEqual([
      expect.stringContaining('/running'),
      'coordinator.* is written by the coordinator alone',
      'jobId is not the key',
    ]);
    expect(device.nacks).toEqual([
      { lane: 0, seq: 1, class: 'reject', code: 1, retryAfterMs: 0, detail: expect.stringContaining('/running') },
      {
        lane: 0,
        seq: 2,
        class: 'forbidden',
        code: 3,
        retryAfterMs: 0,
        detail: 'coordinator.* is written by the coordinator alone',
      },
      { lane: 0, seq: 3, class: 'reject', code: 1, retryAfterMs: 0, detail: 'jobId is not the key' },
    ]);
    device.say('flotilla.grains', { grains: { big: 'x'.repeat(300_000) } }, { lane: Lane.state });
    await device.heard(Lane.state);
    expect(device.nacks.at(-1)).toMatchObject({ lane: Lane.state, seq: 1, class: 'too-large', code: 2 });
  });
});

describe('the verbs on devices', () => {
  it('tag by selector, say who changed, and refuse a selector that matches nobody or is malformed', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    for (const id of ['gw-1', 'gw-2', 'meter-1']) await enroll(core.client, id);
    const tag = { selector: 'gw-*', set: { ring: 'canary' }, unset: [] };
    expect(await core.client.tagDevices(tag)).toEqual({ changed: ['gw-1', 'gw-2'], unchanged: [] });
    expect(await core.client.tagDevices(tag)).toEqual({ changed: [], unchanged: ['gw-1', 'gw-2'] });
    expect((await core.client.match({ selector: 'I@ring:canary' })).ids).toEqual(['gw-1', 'gw-2']);
    await expect(core.client.tagDevices({ ...tag, selector: 'nobody' })).rejects.toMatchObject({
      fault: 'none-matched',
    });
    await expect(core.client.match({ selector: 'not G@site' })).rejects.toMatchObject({
      fault: 'usage',
      detail: { excerpt: expect.stringContaining('^') },
    });
  });

  it('select only accepted devices for a job, and all for a decision on them', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    await enroll(core.client, 'gw-1');
    await enroll(core.client, 'gw-2', true);
    expect((await core.client.match({ selector: '*' })).ids).toEqual(['gw-1']);
    expect((await core.client.devices({ selector: '*' })).map(({ state }) => state)).toEqual(['accepted', 'pending']);
    expect(await core.client.acceptDevices('*')).toEqual({ changed: ['gw-2'], unchanged: ['gw-1'] });
  });

  it('are watched without a gap between what is and what comes', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const identity = await enroll(core.client, 'gw-1');
    const stop = new AbortController();
    const rows = core.client.watchDevices({ selector: 'gw-*' }, stop.signal);
    expect((await rows.next()).value).toMatchObject({ kind: 'device', device: { id: 'gw-1', connected: false } });
    expect((await rows.next()).value).toEqual({ kind: 'synced' });
    core.gateways.connect(identity);
    expect((await rows.next()).value).toMatchObject({ kind: 'device', device: { connected: true } });
    await core.client.removeDevice('gw-1');
    expect((await rows.next()).value).toEqual({ kind: 'removed', id: 'gw-1' });
    stop.abort();
    expect((await rows.next()).done).toBe(true);
  });
});

describe('numbers that no event has', () => {
  it('move the cursor, also at the end of a lane, and one event of ours says which and why', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const device = core.gateways.connect(await enroll(core.client, 'gw-1'));
    await device.admitted.promise;
    device.say('reading', { n: 1 }, { lane: Lane.bulk });
    await device.heard(Lane.bulk);
    const tell = (upToSeq: number): void => device.handler.gap(device.connection, Lane.bulk, upToSeq, 'disk-pressure');
    tell(7);
    tell(7); // again after a reconnect whose cursor was told before the first was stored
    await expect.poll(() => device.acked[Lane.bulk]).toBe(7);
    const gaps = await core.client.events({ limit: 100, type: 'coordinator.gap' });
    expect(gaps.map(({ deviceId, payload }) => ({ deviceId, payload }))).toEqual([
      { deviceId: 'gw-1', payload: expect.objectContaining({ lane: 3, from: 2, to: 7, reason: 'disk-pressure' }) },
    ]);
  });
});

describe('the API', () => {
  it('is closed to others, denies what it does not know, and says so in one shape', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);
    expect(await modeOf(core.config.socket)).toBe('600');
    expect(await modeOf(dirname(core.config.socket))).toBe('700');
    const http = new HttpConnection(core.config.socket);
    await expect(http.get('/v1/nothing')).rejects.toMatchObject({ code: 'api-route-unknown', fault: 'usage' });
    await expect(http.get('/v1/devices', { colour: 'red' })).rejects.toMatchObject({ code: 'api-request-malformed' });
    await expect(
      http.post('/v1/jobs', { selector: '*', action: { kind: 'command', argv: ['x'] }, maxfailures: 1 }),
    ).rejects.toMatchObject({
      detail: { seen: 'the unknown field maxfailures' },
    });
    await expect(
      http.post('/v1/jobs', { selector: '*', action: { kind: 'command', argv: ['x'.repeat(2_000_000)] } }),
    ).rejects.toMatchObject({
      code: 'api-request-malformed',
    });
    await expect(core.client.device('nobody')).rejects.toMatchObject({ code: 'device-unknown', fault: 'usage' });
  });

  it('refuses a second coordinator of the same fleet, and leaves the first alone', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    await expect(startCore(directory.path)).rejects.toMatchObject({ code: 'coordinator-running', fault: 'refused' });
    expect((await core.client.status()).fleetId).toBe('harbour');
  });

  it('refuses the database of another fleet', async () => {
    await using directory = await temporaryDirectory();
    await (await startCore(directory.path)).coordinator.stop();
    await expect(startCore(directory.path, { fleetId: 'other' })).rejects.toMatchObject({ code: 'store-other-fleet' });
  });

  it('follows the log from an offset through its end into what comes', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const device = core.gateways.connect(await enroll(core.client, 'gw-1'));
    await device.admitted.promise;
    for (let n = 1; n <= 1200; n += 1) device.say('reading', n, { lane: Lane.bulk });
    await device.heard(Lane.bulk);
    const stop = new AbortController();
    const seen: unknown[] = [];
    for await (const { payload, type } of core.client.followEvents({ from: 1, type: 'reading' }, stop.signal)) {
      expect(type).toBe('reading');
      seen.push(payload);
      if (seen.length === 1200) for (let n = 1201; n <= 1210; n += 1) device.say('reading', n, { lane: Lane.bulk });
      if (seen.length === 1210) stop.abort();
    }
    expect(seen).toEqual(Array.from({ length: 1210 }, (_, index) => index + 1));
  });
});
