/** What a program of the product hears of updates, and what it may say to them. */
import { describe, expect, it } from 'vitest';
import { defaultUpdateRules } from '../../../src/config/agent-default.ts';
import { openDoor } from '../../../src/door/index.ts';
import { agentParts } from '../../support/agent-parts.ts';
import { openBench, type DoorBench } from '../../support/door-bench.ts';
import { eventually } from '../../support/eventually.ts';
import { updaterBench } from '../../support/updater-bench.ts';
import { offerOf } from '../../support/updating-device.ts';

const settle = () => undefined;

async function deviceAtWork(parts: Awaited<ReturnType<typeof agentParts>>, deferSeconds = 3_600) {
  const limits = { ...defaultUpdateRules.limits, deferSeconds };
  const held: { bench?: DoorBench } = {};
  const device = await updaterBench(parts, {
    rules: { approval: 'required', limits },
    rebootHold: () => held.bench?.door.rebootHold(),
    onChange: () => held.bench?.door.tellUpdate(),
  });
  held.bench = await openBench(parts, { updates: device });
  return { device, door: held.bench.door, socket: held.bench.socket };
}

describe('a program at the door', () => {
  it('sees an update change, state by state, and what it waits for', async () => {
    await using parts = await agentParts();
    const { device, door, socket } = await deviceAtWork(parts);
    await using client = await openDoor({ socket });
    const seen: string[] = [];
    const watching = (async () => {
      for await (const { update } of client.watchUpdates()) {
        const { state = 'none', wait } = update ?? {};
        seen.push(wait === undefined ? state : `${state} (${wait.code})`);
        if (wait?.code === 'needs-approval') expect(await client.approveUpdate()).toMatchObject({ version: '2.0.0' });
        if (state === 'rebooting') return;
      }
    })();
    device.gate.open = true;
    await eventually('it watches', () => seen.length === 1);
    await device.updater.offer(await offerOf(device.bundle, 'r1'), settle);
    await watching;
    expect(seen[0]).toBe('none');
    expect(seen.filter((state, index) => state !== seen[index - 1])).toEqual(
      expect.arrayContaining(['verified (needs-approval)', 'installing', 'rebooting']),
    );
    const [record] = await client.updateHistory({ limit: 1 });
    expect(record).toMatchObject({ rolloutId: 'r1', evidence: { before: { slot: 'a' } } });
    await device.updater.stop();
    await door.stop();
  });

  it('puts an update off for as long as its owner lets it, and takes that back', async () => {
    await using parts = await agentParts();
    const { device, door, socket } = await deviceAtWork(parts, 60);
    await using client = await openDoor({ socket });
    const { untilMs } = await client.deferUpdate({ forSeconds: 86_400, reason: 'busy' });
    expect(untilMs).toBeLessThanOrEqual(Date.now() + 60_000);
    await device.updater.offer(await offerOf(device.bundle, 'r1'), settle);
    await eventually('it waits', () => device.last('r1')?.wait?.code === 'deferred');
    expect(await client.updateStatus()).toMatchObject({ deferral: { reason: 'busy' }, update: { state: 'offered' } });
    await client.resumeUpdate();
    await eventually('it goes on', () => device.last('r1')?.state === 'downloading');
    expect(await client.rejectUpdate('after all')).toMatchObject({ state: 'rejected' });
    await expect(client.rejectUpdate('again')).rejects.toMatchObject({ code: 'update-none' });
    await expect(client.approveUpdate()).rejects.toMatchObject({ code: 'update-none' });
    await device.updater.stop();
    await door.stop();
  });

  it('that may not put updates off is told so', async () => {
    await using parts = await agentParts();
    const { device, door, socket } = await deviceAtWork(parts, 0);
    await using client = await openDoor({ socket });
    await expect(client.deferUpdate({ forSeconds: 1, reason: 'busy' })).rejects.toMatchObject({ code: 'defer-limit' });
    await expect(client.deferUpdate({ forSeconds: 1, reason: '' })).rejects.toMatchObject({
      code: 'request-malformed',
    });
    await device.updater.stop();
    await door.stop();
  });

  it('says how the product is, which an update that is tested takes up', async () => {
    await using parts = await agentParts();
    const { device, door, socket } = await deviceAtWork(parts);
    await using client = await openDoor({ socket });
    await client.reportHealth(false, 'no pump answers');
    expect(device.productHealth.verdict).toEqual({ ok: false, reason: 'no pump answers' });
    expect((await client.updateStatus()).productHealth).toEqual({ ok: false, reason: 'no pump answers' });
    await client.reportHealth(true);
    expect(device.productHealth.verdict).toEqual({ ok: true });
    await device.updater.stop();
    await door.stop();
  });

  it('of a device that takes no updates is told so', async () => {
    await using parts = await agentParts();
    const { door, socket } = await openBench(parts);
    await using client = await openDoor({ socket });
    expect(await client.updateStatus()).toEqual({ configured: false });
    expect(await client.updateHistory()).toEqual([]);
    await expect(client.approveUpdate()).rejects.toMatchObject({ code: 'updates-not-configured' });
    await door.stop();
  });
});
