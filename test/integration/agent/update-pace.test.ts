/** What holds an update up, and what ends it: on a real disk, with real hooks. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { defaultUpdateRules } from '../../../src/config/agent-default.ts';
import { agentParts } from '../../support/agent-parts.ts';
import { eventually } from '../../support/eventually.ts';
import { updaterBench } from '../../support/updater-bench.ts';
import { offerOf } from '../../support/updating-device.ts';

const settle = () => undefined;
const never = { cron: '0 0 29 2 *', durationSeconds: 60, zone: 'UTC' };
const limits = (change: Partial<typeof defaultUpdateRules.limits>) => ({ ...defaultUpdateRules.limits, ...change });
const quick = { timeoutSeconds: 5, retrySeconds: 0.05, retryLimitSeconds: 5, directory: '' };

describe('hooks', () => {
  it('run at each state, told what it is about, in the order of their names; a restart runs those of its state again', async () => {
    await using parts = await agentParts();
    const bench = await updaterBench(parts, { rules: { hooks: quick }, rebootSeconds: 30 });
    const trace = join(parts.dir, 'trace');
    const note = (word: string) => `echo "${word} $FLOTILLA_UPDATE_STATE $FLOTILLA_UPDATE_FROM_SLOT" >> ${trace}`;
    for (const state of ['offered', 'downloading', 'verified', 'installing', 'rebooting', 'testing', 'committed'])
      await bench.hook(state, '10-note', note(state));
    await bench.hook('verified', '20-note', note('second'));
    await bench.hook('verified', 'README', 'exit 1', 0o644);
    bench.gate.open = true;
    await bench.updater.offer(await offerOf(bench.bundle, 'r1'), settle);
    await eventually('it restarts', async () => (await readFile(trace, 'utf8').catch(() => '')).includes('rebooting'), {
      everyMs: 1,
    });
    await bench.reboot();
    await bench.updater.idle();
    expect(bench.last('r1')?.state).toBe('committed');
    const said = (await readFile(trace, 'utf8')).trim().split('\n');
    expect(said.filter((line) => !line.startsWith('rebooting'))).toEqual([
      'offered offered a',
      'downloading downloading a',
      'verified verified a',
      'second verified a',
      'installing installing a',
      'testing testing a',
      'committed committed a',
    ]);
    const [record] = bench.updater.history(1);
    expect(record?.hooks?.map(({ state, outcome }) => [state, outcome])).toContainEqual(['committed', 'ok']);
    expect(record).not.toHaveProperty('endHooksDue');
  });

  it('that say 21 are asked again, which the coordinator hears once; the last answer stands in the evidence', async () => {
    await using parts = await agentParts();
    const bench = await updaterBench(parts, { rules: { hooks: quick } });
    const count = join(parts.dir, 'count');
    await bench.hook('verified', 'backup', `echo x >> ${count}; test $(wc -l < ${count}) -ge 4 || exit 21; exit 7`);
    bench.gate.open = true;
    await bench.updater.offer(await offerOf(bench.bundle, 'r1'), settle);
    await bench.updater.idle();
    expect(bench.story()).toEqual(['offered', 'downloading', 'verified', 'verified (hook-retry)', 'failed']);
    expect(bench.events().filter(({ wait }) => wait !== undefined)).toHaveLength(1);
    expect(bench.last('r1')).toMatchObject({
      reason: { code: 'hook-failed' },
      evidence: { hooks: [{ state: 'verified', name: 'backup', outcome: 'failed', exitCode: 7 }] },
    });
  });

  it('that are never ready, hang, or that everybody may write to, fail', async () => {
    await using parts = await agentParts();
    const rules = { hooks: { ...quick, timeoutSeconds: 0.2, retryLimitSeconds: 0.2 } };
    const bench = await updaterBench(parts, { rules });
    const ending = async (id: string) => {
      await bench.updater.offer(await offerOf(bench.bundle, id), settle);
      await bench.updater.idle();
      return bench.last(id);
    };
    await bench.hook('offered', 'h', 'exit 21');
    expect(await ending('r1')).toMatchObject({ state: 'failed', reason: { code: 'hook-late' } });
    await bench.hook('offered', 'h', 'sleep 20');
    expect(await ending('r2')).toMatchObject({
      state: 'failed',
      reason: { message: expect.stringContaining('no end') },
    });
    await bench.hook('offered', 'h', 'exit 0', 0o777);
    expect(await ending('r3')).toMatchObject({
      state: 'failed',
      reason: { message: expect.stringContaining('everybody may write') },
    });
  });

  it('in the way of an installation put the old slot back', async () => {
    await using parts = await agentParts();
    const bench = await updaterBench(parts, { rules: { hooks: quick } });
    await bench.hook('rebooting', 'h', 'echo no room for it; exit 1');
    await bench.hook('reverting', 'h', 'exit 1');
    bench.gate.open = true;
    await bench.updater.offer(await offerOf(bench.bundle, 'r1'), settle);
    await bench.updater.idle();
    expect(bench.last('r1')).toMatchObject({
      state: 'failed',
      reason: { code: 'hook-failed', message: 'rebooting.d/h failed: no room for it' },
    });
    await bench.reboot();
    expect(bench.updater.last?.before.slot).toBe('a');
  });
});

describe('an update that waits', () => {
  it('for an approval is fetched and verified; it survives restarts, and goes on when it is approved', async () => {
    await using parts = await agentParts();
    const bench = await updaterBench(parts, { rules: { approval: 'required' } });
    bench.gate.open = true;
    await bench.updater.offer(await offerOf(bench.bundle, 'r1'), settle);
    await eventually('it waits', () => bench.last('r1')?.wait?.code === 'needs-approval');
    for (let restart = 0; restart < 5; restart++) await bench.reboot();
    await eventually('it waits', () => bench.updater.last?.wait?.code === 'needs-approval');
    expect(bench.updater.last?.attempts).toEqual({ offered: 1, downloading: 1, verified: 1 });
    bench.updater.approve();
    bench.updater.approve(); // again is no error
    await eventually('it is installed', () => bench.events().some(({ state }) => state === 'rebooting'), {
      everyMs: 1,
    });
    expect(bench.story().slice(0, 6)).toEqual([
      'offered',
      'downloading',
      'verified',
      'verified (needs-approval)',
      'verified',
      'installing',
    ]);
    expect(() => bench.updater.reject('late')).toThrow('can not be rejected any more');
    await bench.updater.stop();
  });

  it('for an approval that nobody gives ends as rejected, and so does one that is refused', async () => {
    await using parts = await agentParts();
    const rules = { approval: 'required' as const, limits: limits({ approvalSeconds: 0.3 }) };
    const bench = await updaterBench(parts, { rules });
    bench.gate.open = true;
    await bench.updater.offer(await offerOf(bench.bundle, 'r1'), settle);
    await bench.updater.idle();
    expect(bench.last('r1')).toMatchObject({ state: 'rejected', reason: { code: 'not-approved' } });
    bench.gate.open = false;
    await bench.updater.offer(await offerOf(bench.bundle, 'r2'), settle);
    bench.updater.reject('not this week');
    await bench.updater.idle();
    expect(bench.last('r2')).toMatchObject({
      state: 'rejected',
      reason: { code: 'rejected-on-device', message: 'not this week' },
    });
    expect(() => bench.updater.approve()).toThrow('no update is under way');
  });

  it('for an approval ends when the offer does', async () => {
    await using parts = await agentParts();
    const bench = await updaterBench(parts, { rules: { approval: 'required' } });
    bench.gate.open = true;
    const offer = await offerOf(bench.bundle, 'r1');
    await bench.updater.offer(offer, settle);
    await eventually('it waits', () => bench.last('r1')?.wait?.code === 'needs-approval');
    parts.link.coordinatorNowMs = () => offer.expiresAtMs;
    bench.updater.poke();
    await bench.updater.idle();
    expect(bench.last('r1')?.state).toBe('cancelled');
    expect(bench.last('r1')?.reason?.code).toBe('offer-expired');
  });

  it('because it was put off goes on when the deferral ends, or when it was put off for as long as it may be', async () => {
    await using parts = await agentParts();
    const bench = await updaterBench(parts, { rules: { limits: limits({ deferSeconds: 0.5 }) } });
    bench.updater.defer({ untilMs: Date.now() + 60_000, reason: 'busy' });
    bench.gate.open = true;
    await bench.updater.offer(await offerOf(bench.bundle, 'r1'), settle);
    await eventually('it waits', () => bench.last('r1')?.wait !== undefined);
    expect(bench.last('r1')?.wait).toMatchObject({ code: 'deferred', message: 'busy' });
    await eventually('it goes on all the same', () => bench.events().some(({ state }) => state === 'installing'));
    expect(bench.updater.deferLeftMs).toBeLessThanOrEqual(0);
    await bench.updater.stop();
  });

  it('for a window that does not open in time ends as cancelled', async () => {
    await using parts = await agentParts();
    const rules = {
      windows: { download: [], install: [never], reboot: [] },
      limits: limits({ waitSeconds: 0.3, verifiedSeconds: 3_600 }),
    };
    const bench = await updaterBench(parts, { rules });
    bench.gate.open = true;
    await bench.updater.offer(await offerOf(bench.bundle, 'r1'), settle);
    await bench.updater.idle();
    expect(bench.last('r1')).toMatchObject({ state: 'cancelled', reason: { code: 'timed-out-verified' } });
  });

  it('for another link stops in the download and goes on where it was', async () => {
    await using parts = await agentParts();
    const grains = { network: 'lan' };
    const metered = { when: { network: ['lte'] }, download: 'never' as const };
    const rules = { metered, download: { maxBytesPerSecond: 200_000 } };
    const bench = await updaterBench(parts, { rules, grains: () => grains });
    bench.gate.open = true;
    await bench.updater.offer(await offerOf(bench.bundle, 'r1'), settle);
    await eventually('a part is here', () => bench.gate.bytes > 200_000);
    grains.network = 'lte';
    await eventually('it waits', () => bench.last('r1')?.wait?.code === 'metered');
    const { fetches } = bench.gate;
    await bench.restart();
    await eventually('it still waits', () => bench.last('r1')?.wait?.code === 'metered');
    grains.network = 'lan';
    bench.updater.poke();
    await eventually('it is whole', () => bench.events().some(({ state }) => state === 'verified'));
    // No part that was there is fetched again: 600 kB in pieces of 200 kB and less.
    expect(bench.gate.fetches - fetches).toBeLessThanOrEqual(5);
    await bench.updater.stop();
  });

  it('for a program lets the restart wait, and no longer than it may', async () => {
    await using parts = await agentParts();
    let hold: { reason: string } | undefined = { reason: 'brewing' };
    const bench = await updaterBench(parts, { rebootHold: () => hold });
    bench.gate.open = true;
    await bench.updater.offer(await offerOf(bench.bundle, 'r1'), settle);
    await eventually('it waits', () => bench.last('r1')?.wait?.code === 'reboot-held');
    hold = undefined;
    bench.updater.poke();
    await eventually('it restarts', () => bench.events().filter(({ state }) => state === 'rebooting').length >= 3);
    await bench.updater.stop();
  });
});

describe('a state that lasts too long', () => {
  it('ends the step that is stuck in it, and names the state', async () => {
    await using parts = await agentParts();
    const bench = await updaterBench(parts, { rules: { limits: limits({ downloadingSeconds: 0.3 }) } });
    await bench.updater.offer(await offerOf(bench.bundle, 'r1'), settle); // no part ever comes
    await bench.updater.idle();
    expect(bench.last('r1')).toMatchObject({ state: 'failed', reason: { code: 'timed-out-downloading' } });
  });

  it('counts on over restarts of the agent', async () => {
    await using parts = await agentParts();
    const bench = await updaterBench(parts, { rules: { limits: limits({ downloadingSeconds: 1.5 }) } });
    await bench.updater.offer(await offerOf(bench.bundle, 'r1'), settle);
    await eventually('it is asked for', () => bench.gate.fetches > 0);
    await bench.restart();
    await bench.restart();
    const { timer } = bench.updater.last!;
    expect(timer!.spentMs).toBeGreaterThan(0);
    await bench.updater.idle();
    expect(bench.last('r1')).toMatchObject({ state: 'failed', reason: { code: 'timed-out-downloading' } });
  });
});

describe('the word of the product', () => {
  const health = { product: { timeoutSeconds: 0.3, missing: 'failed' as const } };

  async function tested(parts: Awaited<ReturnType<typeof agentParts>>, option: Parameters<typeof updaterBench>[1]) {
    const bench = await updaterBench(parts, { rebootSeconds: 30, ...option });
    bench.gate.open = true;
    await bench.updater.offer(await offerOf(bench.bundle, 'r1'), settle);
    await eventually('it is to restart', () => bench.events().some(({ state }) => state === 'rebooting'), {
      everyMs: 1,
    });
    return bench;
  }

  it('is waited for: a good one commits', async () => {
    await using parts = await agentParts();
    const bench = await tested(parts, { health: { product: { timeoutSeconds: 60, missing: 'failed' } } });
    bench.productHealth.report({ ok: false, reason: 'of the boot before' });
    await bench.reboot();
    await eventually('it is tested', () => bench.last('r1')?.state === 'testing');
    bench.productHealth.report({ ok: true, reason: 'all pumps answer' });
    await bench.updater.idle();
    expect(bench.last('r1')).toMatchObject({
      state: 'committed',
      evidence: { health: [{ name: 'product', ok: true, output: 'all pumps answer' }] },
    });
  });

  it('that does not come is a bad one, unless the owner says otherwise', async () => {
    await using parts = await agentParts();
    const bench = await tested(parts, { health });
    await bench.reboot();
    await eventually('it goes back', () => bench.last('r1')?.reason !== undefined);
    expect(bench.last('r1')?.reason).toMatchObject({
      code: 'health-check',
      message: expect.stringContaining('said nothing within 0.3 s'),
    });
    await bench.reboot();
    await bench.updater.idle();
    expect(bench.last('r1')?.state).toBe('rolled-back');
  });

  it('counts in the soak as well', async () => {
    await using parts = await agentParts();
    const bench = await tested(parts, { health: { soakSeconds: 60 } });
    await bench.reboot();
    await eventually('it is tested', () => bench.last('r1')?.state === 'testing');
    bench.productHealth.report({ ok: true });
    bench.productHealth.report({ ok: false, reason: 'pump 2 is silent' });
    await eventually('it goes back', () => bench.last('r1')?.reason !== undefined);
    expect(bench.last('r1')?.reason?.message).toContain('pump 2 is silent');
    await bench.updater.stop();
  });
});
