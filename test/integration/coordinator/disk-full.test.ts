import { describe, expect, it } from 'vitest';
import { Lane } from '../../../src/protocol/lane.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { startCore } from './core-bench.ts';
import { enroll } from './enroll.ts';

describe('a full disk', () => {
  it('refuses a change with one clear message, does nothing of it, acknowledges nothing, and stays up', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path, {}, 400 * 1024);
    const identity = await enroll(core.client, 'gw-1');
    const device = core.gateways.connect(identity);
    await device.admitted.promise;
    const argv = ['x'.repeat(60_000), ...Array.from({ length: 6 }, () => 'y'.repeat(60_000))];
    await expect(core.client.startJob({ selector: '*', action: { kind: 'command', argv } })).rejects.toMatchObject({
      code: 'disk-full',
      fault: 'failed',
      detail: { suggestion: expect.stringContaining('free some space') },
    });
    expect(await core.client.jobs()).toEqual([]);
    expect((await core.client.status()).jobs.running).toBe(0);
    expect(device.requests).toEqual([]);

    device.say('reading', 'z'.repeat(500_000), { lane: Lane.bulk });
    expect(await device.closed.promise).toBe('store-failed');
    expect(device.acked[Lane.bulk]).toBe(0);
    expect(device.nacks).toMatchObject([{ lane: Lane.bulk, seq: 1, class: 'retry' }]);
    // What followed it on the same connection must not take its place.
    device.say('reading', 'small', { lane: Lane.bulk });
    expect((await core.client.tagDevices({ selector: 'gw-1', set: { ring: 'a' }, unset: [] })).changed).toEqual([
      'gw-1',
    ]);
    expect(await core.client.events({ type: 'reading' })).toEqual([]);
    expect(device.acked[Lane.bulk]).toBe(0);
  });

  it('fails only the change that did not fit, not those that came in the same moment', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path, {}, 400 * 1024);
    await enroll(core.client, 'gw-1');
    const argv = Array.from({ length: 7 }, () => 'y'.repeat(60_000));
    const settled = await Promise.allSettled([
      core.client.tagDevices({ selector: '*', set: { a: '1' }, unset: [] }),
      core.client.startJob({ selector: '*', action: { kind: 'command', argv } }),
      core.client.tagDevices({ selector: '*', set: { b: '2' }, unset: [] }),
    ]);
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect((await core.client.device('gw-1')).tags).toEqual({ a: '1', b: '2' });
  });
});
