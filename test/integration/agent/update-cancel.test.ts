import { readdir } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { agentParts } from '../../support/agent-parts.ts';
import { eventually } from '../../support/eventually.ts';
import { updaterBench as deviceWith } from '../../support/updater-bench.ts';
import { offerOf } from '../../support/updating-device.ts';

const settle = () => undefined;

describe('an offer that the coordinator takes back', () => {
  it('is cancelled in the download, leaves nothing behind, and may be made again', async () => {
    await using parts = await agentParts();
    const { updater, bundle, gate, last } = await deviceWith(parts);
    await updater.offer(await offerOf(bundle, 'r1'), settle);
    await eventually('a part was asked for', () => gate.fetches > 0);
    updater.cancel({ rolloutId: 'r1', reason: 'the rollout was paused' }, settle);
    await updater.idle();
    expect(last('r1')).toMatchObject({
      state: 'cancelled',
      reason: { code: 'cancelled', message: 'the rollout was paused' },
    });
    expect(await readdir(parts.dir)).not.toContain('download.fw');
    gate.open = true;
    await updater.offer(await offerOf(bundle, 'r1'), settle);
    await eventually('it is installed', () => last('r1')?.state === 'failed' || last('r1')?.state === 'rebooting');
    await updater.stop();
  });

  it('stays as it is when another rollout is cancelled', async () => {
    await using parts = await agentParts();
    const { updater, bundle, gate, last } = await deviceWith(parts);
    await updater.offer(await offerOf(bundle, 'r1'), settle);
    await eventually('a part was asked for', () => gate.fetches > 0);
    updater.cancel({ rolloutId: 'r2', reason: 'another' }, settle);
    expect(last('r1')?.state).toBe('downloading');
    await updater.stop();
  });

  it('has no effect behind the install: the update runs to its end', async () => {
    await using parts = await agentParts();
    const { updater, bundle, gate, last, events } = await deviceWith(parts);
    gate.open = true;
    await updater.offer(await offerOf(bundle, 'r1'), settle);
    await eventually('it installs', () => events().some(({ state }) => state === 'installing'), { everyMs: 1 });
    updater.cancel({ rolloutId: 'r1', reason: 'too late' }, settle);
    await updater.idle();
    expect(last('r1')).toMatchObject({ state: 'failed', reason: { code: 'attempts-exhausted' } }); // nobody restarts this machine
  });
});

describe('an offer of an update that has failed', () => {
  it('is answered with what became of it, and tried again by a higher attempt alone', async () => {
    await using parts = await agentParts();
    const { updater, bundle, gate, last, events, hook } = await deviceWith(parts);
    await hook('offered', 'no', 'exit 1');
    const offer = await offerOf(bundle, 'r1');
    const failedAt = async (attempt?: number) => {
      await updater.offer({ ...offer, ...(attempt === undefined ? {} : { attempt }) }, settle);
      await updater.idle();
      expect(last('r1')?.state).toBe('failed');
      return updater.last!.decidedAtMs!;
    };
    const first = await failedAt();
    expect(await failedAt()).toBe(first);
    expect(await failedAt(1)).toBe(first);
    const second = await failedAt(2);
    expect(second).toBeGreaterThan(first);
    expect(await failedAt(2)).toBe(second);
    await hook('offered', 'no', 'exit 0');
    gate.open = true;
    await updater.offer({ ...offer, attempt: 3 }, settle);
    // Nobody restarts this machine: soon it says that it has failed.
    await eventually('it is installed', () => events().some(({ state }) => state === 'rebooting'));
    await updater.stop();
  });
});

describe('an offer beside another', () => {
  it('is rejected as busy, and told again when it comes again', async () => {
    await using parts = await agentParts();
    const { updater, bundle, last, events } = await deviceWith(parts);
    await updater.offer(await offerOf(bundle, 'r1'), settle);
    await updater.offer(await offerOf(bundle, 'r2'), settle);
    expect(last('r2')).toMatchObject({ state: 'rejected', reason: { code: 'busy' } });
    const before = events().filter(({ rolloutId }) => rolloutId === 'r1').length;
    await updater.offer(await offerOf(bundle, 'r1'), settle);
    expect(events().filter(({ rolloutId }) => rolloutId === 'r1')).toHaveLength(before + 1);
    await updater.stop();
  });

  it('is not taken when it has expired by the coordinator’s time', async () => {
    await using parts = await agentParts();
    const { updater, bundle, last } = await deviceWith(parts);
    await updater.offer({ ...(await offerOf(bundle, 'r1')), expiresAtMs: Date.now() - 1 }, settle);
    expect(last('r1')).toMatchObject({ state: 'rejected', reason: { code: 'offer-expired' } });
  });

  it('waits out a coordinator that does not give the parts yet', async () => {
    await using parts = await agentParts();
    const { updater, bundle, gate, events } = await deviceWith(parts);
    gate.open = true;
    gate.refusals = 1;
    await updater.offer(await offerOf(bundle, 'r1'), settle);
    await updater.idle();
    expect(events().some(({ state }) => state === 'verified')).toBe(true);
  });
});
