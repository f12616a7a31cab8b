/** For each rule between a device and its update: just that rule says no, and the answer says so with its numbers. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Release, RolloutRequest, Why, WhyRule } from '../../../src/client/contract/index.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { connectBoard, publishRelease, takeOffer, updateBoard, type Board } from './board-bench.ts';
import { startCore, type CoreBench } from './core-bench.ts';

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let core: CoreBench;
let release: Release;

beforeAll(async () => {
  directory = await temporaryDirectory();
  core = await startCore(directory.path);
  release = await publishRelease(core, directory.path, '2.0.0');
});
afterAll(async () => {
  await core.coordinator.stop();
  await directory[Symbol.asyncDispose]();
});

/** Devices of one scenario, and a rollout to them alone. */
async function scenario(name: string, count: number, request: Partial<RolloutRequest> = {}) {
  const ids = Array.from({ length: count }, (_, n) => `${name}-${n + 1}`);
  const boards: Board[] = [];
  for (const id of ids) boards.push(await connectBoard(core, id));
  const start = (over: Partial<RolloutRequest> = {}) =>
    core.client.startRollout({
      release: release.id,
      selector: `L@${ids.join(',')}`,
      expect: count,
      phases: [{ size: 'rest' }],
      maxFailures: 50,
      maxFailureShare: 1,
      ...request,
      ...over,
    });
  return { ids, boards, start };
}

function blocking({ rules }: Why): WhyRule[] {
  return rules.filter(({ verdict }) => verdict === 'blocks');
}

/** That rule alone says no. */
async function expectOnly(id: string, rule: string, detail: RegExp, rollout?: string): Promise<Why> {
  const why = await core.client.why(id, rollout === undefined ? {} : { rollout });
  expect(blocking(why).map((each) => each.rule)).toEqual([rule]);
  expect(blocking(why)[0]!.detail).toMatch(detail);
  expect(why.conclusion).toContain(rule);
  return why;
}

function ruleOf(why: Why, rule: string): WhyRule {
  return why.rules.find((each) => each.rule === rule)!;
}

describe('why', () => {
  it('connected', async () => {
    const { ids, boards, start } = await scenario('connected', 1);
    boards[0]!.device.leave();
    const { id } = await start();
    await expectOnly(ids[0]!, 'connected', /^away; last seen \d{4}-/, id);
  });

  it('selector: the term that says no, for a rollout that was asked for and for those that nobody named', async () => {
    const { ids, start } = await scenario('selector', 1);
    await connectBoard(core, 'stranger');
    const { id } = await start();
    await expectOnly('stranger', 'selector', /not a target: selector term L@selector-1 says no: .*stranger/, id);
    const why = await core.client.why('stranger', {});
    expect(blocking(why)).toEqual([]);
    expect(why.rules.filter(({ rule }) => rule === 'selector').map(({ detail }) => detail)).toContainEqual(
      expect.stringMatching(new RegExp(`not a target of ${id} .*: selector term L@selector-1 says no`)),
    );
    expect(why.conclusion).toBe('stranger is reachable; no rollout has it');
    expect(ruleOf(await core.client.why(ids[0]!, {}), 'selector')).toMatchObject({ verdict: 'ok' });
  });

  it('selector: one that matches by now, when the targets were fixed', async () => {
    await core.client.tagDevices({ selector: 'stranger', set: { ring: 'canary' }, unset: [] });
    const { start, ids } = await scenario('fixed', 1);
    const { id } = await start({ selector: `L@${ids[0]} or I@ring:later`, expect: 1 });
    await core.client.tagDevices({ selector: 'stranger', set: { ring: 'later' }, unset: [] });
    const why = await core.client.why('stranger', { rollout: id });
    expect(ruleOf(why, 'selector').detail).toMatch(/matches it now, but the 1 targets were fixed \d{4}-/);
  });

  it('rollout: one that is paused', async () => {
    const { ids, boards, start } = await scenario('paused', 2, { maxInFlight: 1 });
    const { id } = await start();
    await core.client.changeRollout(id, 'pause', { reason: 'lunch' });
    await updateBoard(boards[0]!, release, 'committed');
    await expectOnly(ids[1]!, 'rollout', new RegExp(`^${id} is paused: lunch$`));
  });

  it('phase, and the gate of the one before', async () => {
    const { ids, boards, start } = await scenario('phase', 2, {
      phases: [{ size: '1', soakSeconds: 600 }, { size: 'rest' }],
    });
    await start();
    const running = await core.client.why(ids[1]!, {});
    expect(blocking(running).map(({ rule }) => rule)).toEqual(['phase', 'gate']);
    expect(ruleOf(running, 'phase').detail).toBe('in phase 2 of 2; phase 1 is running');
    expect(ruleOf(running, 'gate').detail).toBe('phase 1: 1 of 1 devices have not ended');
    await updateBoard(boards[0]!, release, 'committed');
    const soaking = await core.client.why(ids[1]!, {});
    expect(ruleOf(soaking, 'gate').detail).toMatch(/phase 1: soaks until \d{4}-/);
  });

  it('gate: the approval that a phase waits for', async () => {
    const phases = [{ size: '1', gate: { approval: 'release' as const } }, { size: 'rest' }];
    const { ids, boards, start } = await scenario('approval', 2, { phases });
    await start();
    await updateBoard(boards[0]!, release, 'committed');
    expect(ruleOf(await core.client.why(ids[1]!, {}), 'gate').detail).toBe(
      'phase 1: waits for the approval of release',
    );
  });

  it('gate-health: who is connected of those that have it, beside those that have it not', async () => {
    const phases = [{ size: '2', soakSeconds: 1, gate: { connected: 0.9, lostConnections: 2 } }, { size: 'rest' }];
    const { ids, boards, start } = await scenario('health', 4, { phases });
    const { id } = await start();
    for (const each of boards.slice(0, 2)) await updateBoard(each, release, 'committed');
    const health = async () => (await core.client.why(ids[3]!, {})).rules.filter(({ rule }) => rule === 'gate-health');
    expect(await health()).toEqual([
      {
        rule: 'gate-health',
        verdict: 'ok',
        detail:
          'phase 1: 2 of 2 proven devices are connected (100 %); at least 90 % of the 100 % of those that were not updated must be',
      },
      {
        rule: 'gate-health',
        verdict: 'ok',
        detail:
          'phase 1: 2 proven devices lost 0 connections an hour each; 0 before, and 0 those that were not updated: at most 2 times as many',
      },
    ]);
    boards[0]!.device.leave();
    await expect
      .poll(health)
      .toContainEqual(
        expect.objectContaining({ verdict: 'blocks', detail: expect.stringMatching(/^phase 1: 1 of 2 .* \(50 %\)/) }),
      );
    // The soak is over: what `why` has said is what stops it.
    await expect.poll(async () => (await core.client.rollout(id)).state, { timeout: 5_000 }).toBe('halted');
    const halted = await core.client.why(ids[3]!, {});
    expect(blocking(halted)[0]).toMatchObject({
      rule: 'rollout',
      detail: expect.stringMatching(/is halted: phase 1: 1 of 2 proven devices are connected \(50 %\); at least 90 %/),
    });
    expect((await health())[1]!.detail).toMatch(
      /^phase 1: 2 proven devices lost \d+(\.\d+)? connections an hour each;/,
    );
  });

  it('window', async () => {
    const far = new Date(Date.now() + 180 * 86_400_000);
    const cron = `0 3 ${far.getUTCDate()} ${far.getUTCMonth() + 1} *`;
    const windows = { offer: [{ cron, durationSeconds: 3_600, zone: 'UTC' }] };
    const { ids, start } = await scenario('window', 1, { windows });
    await start();
    await expectOnly(ids[0]!, 'window', /closed until \d{4}-.*T03:00:00.000Z: .*for 3600 s in UTC/);
  });

  it('in-flight', async () => {
    const { ids, start } = await scenario('cap', 2, { maxInFlight: 1 });
    await start();
    await expectOnly(ids[1]!, 'in-flight', /^1 of at most 1 are being updated$/);
  });

  it('in-flight-per', async () => {
    const { ids, start } = await scenario('site', 2, { maxInFlightPer: { place: 'I@site', count: 1 } });
    for (const id of ids) await core.client.tagDevices({ selector: id, set: { site: 'dock' }, unset: [] });
    await start();
    await expectOnly(ids[1]!, 'in-flight-per', /^1 of at most 1 of the same I@site are being updated$/);
  });

  it('rate', async () => {
    const { ids, start } = await scenario('rate', 2, { perMinute: 1 });
    await start();
    await expectOnly(ids[1]!, 'rate', /^1 of at most 1 offers in the last minute$/);
  });

  it('turn', async () => {
    const { ids, start } = await scenario('turn', 1);
    const { id } = await start();
    const other = await publishRelease(core, directory.path, '2.1.0');
    const { id: second } = await start({ release: other.id, supersede: 'queue' });
    await expectOnly(ids[0]!, 'turn', new RegExp(`^${id} has it first$`), second);
  });

  it('quarantine', async () => {
    const { ids, boards, start } = await scenario('quarantine', 2);
    const { id } = await start({ selector: ids[1]!, expect: 1 });
    await updateBoard(boards[1]!, release, 'rolled-back');
    const ended = await core.client.why(ids[1]!, { rollout: id });
    expect(ended.conclusion).toMatch(/did not get .*, it is rolled-back: http answered 500 \(health-failed\)/);
    expect(ruleOf(ended, 'evidence').detail).toMatch(/slot a → a, boot .*; health 0 of 1: failed http/);
    await start({ phases: [{ size: '1', selector: ids[0]! }, { size: 'rest' }] });
    const why = await core.client.why(ids[1]!, {});
    expect(blocking(why)[0]).toMatchObject({
      rule: 'quarantine',
      detail: expect.stringContaining(
        `the device has reverted bundle ${release.bundleUuid} before; flotilla device allow-`,
      ),
    });
  });

  it('pin', async () => {
    const { ids, start } = await scenario('pin', 2, { phases: [{ size: '1' }, { size: 'rest' }] });
    await start();
    await core.client.tagDevices({ selector: ids[1]!, set: { 'update-hold': 'lab' }, unset: [] });
    const why = await core.client.why(ids[1]!, {});
    expect(blocking(why)[0]).toMatchObject({ rule: 'pin', detail: 'held by the tag update-hold: lab' });
  });

  it('retries: the penalty box', async () => {
    const retry = { perDevice: 2, perPhase: 5, backoffSeconds: 600 };
    const { ids, boards, start } = await scenario('retry', 1, { retry });
    await start();
    const tell = await takeOffer(boards[0]!);
    tell('offered');
    tell('failed', { reason: { code: 'disk-full', message: 'no room' } });
    await boards[0]!.device.heard();
    await expectOnly(ids[0]!, 'retries', /^1 of 2 retries are used; in the penalty box until \d{4}-/);
  });

  it('certificate', async () => {
    const { ids } = await scenario('revoked', 1);
    await core.client.revoke({ subject: ids[0]!, reason: 'lost' });
    const why = await core.client.why(ids[0]!, {});
    expect(ruleOf(why, 'certificate')).toMatchObject({
      verdict: 'blocks',
      detail: expect.stringMatching(/is revoked: lost/),
    });
  });

  it('clock: told, and no more than a hint', async () => {
    const { ids, boards, start } = await scenario('clock', 1);
    const told = { source: 'floor', skewMs: -400_000_000, floorMs: Date.now(), refused: 'the statement is too old' };
    boards[0]!.device.say('flotilla.clock', told);
    await boards[0]!.device.heard();
    await start();
    const why = await core.client.why(ids[0]!, {});
    expect(blocking(why)).toEqual([]);
    expect(ruleOf(why, 'clock')).toMatchObject({ verdict: 'unknown' });
    expect(ruleOf(why, 'clock').detail).toMatch(/400000 s behind .* it goes by floor .* the statement is too old/);
  });

  it('delta: whether there is one', async () => {
    const { ids, start } = await scenario('delta', 2, { maxInFlight: 1 });
    await start();
    expect(ruleOf(await core.client.why(ids[1]!, {}), 'delta')).toEqual({
      rule: 'delta',
      verdict: 'ok',
      detail: `no delta for what it runs: the whole ${release.sizeBytes} bytes are offered`,
    });
  });

  it('what the device itself waits for', async () => {
    const { ids, boards, start } = await scenario('wait', 1);
    await start();
    const tell = await takeOffer(boards[0]!);
    tell('offered', { wait: { code: 'deferred', message: 'the product is busy', untilMs: Date.now() + 60_000 } });
    await boards[0]!.device.heard();
    const why = await core.client.why(ids[0]!, {});
    expect(blocking(why).map(({ rule }) => rule)).toEqual(['device-wait']);
    expect(ruleOf(why, 'device-wait').detail).toMatch(/^the product is busy \(deferred\); looks again in \d+ s$/);
    expect(why.conclusion).toMatch(/is being updated to .*: offered, and waits: the product is busy/);
  });

  it('what came of it, also of a rollout that the coordinator has long forgotten', async () => {
    const { ids, boards, start } = await scenario('ended', 1);
    const { id } = await start();
    await updateBoard(boards[0]!, release, 'committed');
    const before = await core.client.why(ids[0]!, { rollout: id });
    expect(before.conclusion).toBe(`${ids[0]} runs ${release.id}, proven`);
    expect(ruleOf(before, 'evidence')).toMatchObject({
      verdict: 'ok',
      detail: expect.stringMatching(/slot a → b, .*; health 1 of 1/),
    });
    await core.coordinator.stop();
    core = await startCore(directory.path);
    const after = await core.client.why(ids[0]!, { rollout: id });
    expect(after.conclusion).toBe(before.conclusion);
    expect(ruleOf(after, 'evidence')).toEqual(ruleOf(before, 'evidence'));
    await expect(core.client.why(ids[0]!, { rollout: 'r-none' })).rejects.toMatchObject({ code: 'rollout-unknown' });
  });
});
