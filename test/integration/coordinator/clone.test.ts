import { describe, expect, it } from 'vitest';
import { defaultCoordinatorConfig } from '../../../src/config/index.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { startCore } from './core-bench.ts';
import { enroll } from './enroll.ts';

describe('two live sessions of one identity that write different histories', () => {
  it('are a clone when the older one answers: both are quarantined, an event tells of it', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const identity = await enroll(core.client, 'gw-1');
    const older = core.gateways.connect(identity, { gateway: 0 });
    await older.admitted.promise;
    const newer = core.gateways.connect(identity, { gateway: 2, instanceId: 0xb2n, address: '198.51.100.7:9' });
    await older.probed.promise;
    older.handler.probed(older.connection, true);
    expect(await older.closed.promise).toBe('quarantined');
    expect(await newer.refused.promise).toBe('quarantined');
    expect((await core.client.device('gw-1')).state).toBe('quarantined');
    expect((await core.client.events({ type: 'coordinator.clone' })).map(({ payload }) => payload)).toEqual([
      {
        reason: 'two-instances',
        instances: ['00000000000000a1', '00000000000000b2'],
        addresses: ['192.0.2.1:4000', '198.51.100.7:9'],
        serials: [identity.serialHex, identity.serialHex],
        gateways: [0, 2],
      },
    ]);
    older.leave();

    const held = core.gateways.connect(identity);
    expect(await held.admitted.promise).toMatchObject({ standing: 'quarantined' });
    await expect(
      core.client.startJob({ selector: 'gw-1', action: { kind: 'command', argv: ['true'] } }),
    ).rejects.toBeDefined();
    const again = core.gateways.connect(identity, { instanceId: 0xb2n });
    expect(await again.admitted.promise).toMatchObject({ standing: 'quarantined' });
    expect(await held.closed.promise).toBe('superseded');
    await core.client.acceptDevices('gw-1');
    await again.opened.promise;
    expect((await core.client.events({ type: 'coordinator.clone' })).length).toBe(1);
  });

  it('are one device when the older one is dead: the newer goes on in its place', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const identity = await enroll(core.client, 'gw-1');
    const older = core.gateways.connect(identity);
    await older.admitted.promise;
    const newer = core.gateways.connect(identity, { instanceId: 0xb2n });
    await older.probed.promise;
    const newest = core.gateways.connect(identity, { instanceId: 0xc3n });
    expect(await newer.refused.promise).toBe('superseded');
    older.handler.probed(older.connection, false);
    expect(await newest.admitted.promise).toMatchObject({ standing: 'accepted' });
    expect(await older.closed.promise).toBe('superseded');
    expect(await core.client.events({ type: 'coordinator.clone' })).toEqual([]);
  });

  it('are forgotten when the one that waits goes, and judged anew when the device was revoked meanwhile', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const identity = await enroll(core.client, 'gw-1');
    const older = core.gateways.connect(identity);
    await older.admitted.promise;
    const impatient = core.gateways.connect(identity, { instanceId: 0xb2n });
    await older.probed.promise;
    impatient.leave();
    older.handler.probed(older.connection, true);
    expect((await core.client.device('gw-1')).state).toBe('accepted');
    const waiting = core.gateways.connect(identity, { instanceId: 0xb2n });
    await core.client.revoke({ subject: 'gw-1', reason: 'stolen' });
    older.leave('revoked');
    expect(await waiting.refused.promise).toBe('revoked');
  });
});

describe('two live sessions of one identity that write the same history', () => {
  it('are one device as long as the older one is dead: the newer goes on at once, however often', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const identity = await enroll(core.client, 'gw-1');
    for (let n = 0; n < 8; n += 1) {
      const older = core.gateways.connect(identity);
      await older.admitted.promise;
      const newer = core.gateways.connect(identity);
      expect(await newer.admitted.promise).toMatchObject({ standing: 'accepted' });
      await older.probed.promise;
      if (n % 2 === 0) older.handler.probed(older.connection, false);
      else older.leave();
      if (n % 2 === 0) expect(await older.closed.promise).toBe('superseded');
    }
    expect(await core.client.events({ type: 'coordinator.clone' })).toEqual([]);
  });

  it('are a full copy when the one that was driven out answers, three times: both are quarantined', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const identity = await enroll(core.client, 'gw-1');
    const address = (n: number): string => ['192.0.2.1:4000', '198.51.100.7:9'][n % 2]!;
    let older = core.gateways.connect(identity, { address: address(0), gateway: 0 });
    for (let n = 1; n <= 3; n += 1) {
      const newer = core.gateways.connect(identity, { address: address(n), gateway: n });
      await newer.admitted.promise;
      await older.probed.promise;
      older.handler.probed(older.connection, true);
      expect(await older.closed.promise).toBe(n < 3 ? 'superseded' : 'quarantined');
      older.leave();
      older = newer;
    }
    expect(await older.closed.promise).toBe('quarantined');
    expect((await core.client.device('gw-1')).state).toBe('quarantined');
    expect((await core.client.events({ type: 'coordinator.clone' })).map(({ payload }) => payload)).toEqual([
      {
        reason: 'superseded-each-other',
        instances: ['00000000000000a1', '00000000000000a1'],
        addresses: [address(2), address(3)],
        serials: [identity.serialHex, identity.serialHex],
        gateways: [2, 3],
      },
    ]);
  });
});

describe('what a quarantined device is sent', () => {
  it('is nothing but the end of what it may still be doing', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const identity = await enroll(core.client, 'gw-1');
    const first = core.gateways.connect(identity);
    await first.admitted.promise;
    const { id } = await core.client.startJob({ selector: 'gw-1', action: { kind: 'command', argv: ['sleep', '9'] } });
    const { seq } = await first.request('job.start');
    first.confirm(seq);
    core.gateways.connect(identity, { instanceId: 0xb2n });
    await first.probed.promise;
    first.handler.probed(first.connection, true);
    await first.closed.promise;
    first.leave();
    const known = { knownCoordinatorInstanceId: (await first.admitted.promise).coordinatorInstanceId };
    const held = core.gateways.connect(identity, { ...known, requestCursor: [seq, 0, 0, 0] });
    await held.admitted.promise;
    await core.client.cancelJob(id);
    await held.request('job.cancel');
    expect(held.requests.map(({ row }) => row.type)).toEqual(['job.cancel']);
  });
});

describe('an agent that is too old', () => {
  it('is sent away with the least version that is served', async () => {
    await using directory = await temporaryDirectory();
    const link = { ...defaultCoordinatorConfig.link, minAgentVersion: '1.2.0' };
    await using core = await startCore(directory.path, { link });
    const identity = await enroll(core.client, 'gw-1');
    expect(await core.gateways.connect(identity, { agentVersion: '1.1.9' }).refused.promise).toBe('unsupported-agent');
    expect(await core.gateways.connect(identity, { agentVersion: 'raw' }).refused.promise).toBe('unsupported-agent');
    await core.gateways.connect(identity, { agentVersion: '1.2.0' }).admitted.promise;
  });
});
