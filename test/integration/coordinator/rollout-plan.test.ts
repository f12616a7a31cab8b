import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatPlanFile, parsePlanFile } from '../../../src/cli/rollout-plan-file.ts';
import type { Release, Rollout, RolloutPlan, RolloutPolicy } from '../../../src/client/contract/index.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { startCore, type CoreBench } from './core-bench.ts';
import { enroll } from './enroll.ts';
import { board, update, type Board } from './rollout-board.ts';
import { bundle, keys } from './signed-bundle.ts';

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let core: CoreBench;
let release: Release;
let older: Release;
const boards: Record<string, Board> = {};
const names = ['a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'a7'];

const policy: RolloutPolicy = {
  release: 'meter/2.0.0',
  selector: 'I@fleet:a',
  exclude: 'I@ring:lab',
  phases: [{ name: 'canary', size: '1', selector: 'I@ring:canary' }, { size: 'rest' }],
};

const tag = (id: string, set: Record<string, string>) => core.client.tagDevices({ selector: id, set, unset: [] });
const untag = (id: string, unset: string[]) => core.client.tagDevices({ selector: id, set: {}, unset });
const refusedFor = (seen: string) => ({ code: 'rollout-drift', fault: 'refused', detail: { seen } });
const apply = (plan: RolloutPlan) => core.client.applyRollout(plan);

beforeAll(async () => {
  directory = await temporaryDirectory();
  core = await startCore(directory.path);
  const key = await keys(core);
  older = await core.client.publish(await bundle(directory.path, '1.0.0', key), { channel: 'stable' });
  release = await core.client.publish(await bundle(directory.path, '2.0.0', key), { channel: 'stable' });
  for (const id of names) {
    boards[id] = await board(core, id);
    await tag(id, { fleet: 'a' });
  }
  await tag('a1', { ring: 'canary' });
  await tag('a7', { ring: 'lab' });
});
afterAll(async () => {
  await core?.[Symbol.asyncDispose]();
  await directory?.[Symbol.asyncDispose]();
});

describe('a plan', () => {
  it('freezes the targets with what is known of them, and says what it would cost', async () => {
    const plan = await core.client.planRollout(policy);
    expect(plan).toMatchObject({
      policy,
      release: { id: release.id, bundleUuid: release.bundleUuid, sha256: release.sha256 },
      devices: 6,
      bytes: 6 * release.sizeBytes,
      phases: [
        { id: 1, name: 'canary', devices: 1, connected: 1, bytes: release.sizeBytes },
        { id: 2, devices: 5 },
      ],
      leftOut: [{ deviceId: 'a7', why: 'matches the exclusion I@ring:lab' }],
    });
    expect(plan.targets[0]).toMatchObject({
      deviceId: 'a1',
      phase: 1,
      runs: '00000000-0000-4000-8000-000000000001',
      connected: true,
    });
    expect(parsePlanFile(formatPlanFile(plan), 'plan.yaml')).toEqual(plan);
    expect((await core.client.rollouts()).length).toBe(0);
  });

  it('is refused when the file was edited', async () => {
    const plan = await core.client.planRollout(policy);
    const moved = plan.targets.map((target) => (target.deviceId === 'a2' ? { ...target, phase: 1 } : target));
    await expect(apply({ ...plan, targets: moved })).rejects.toMatchObject({ code: 'rollout-plan-edited' });
    const laxer = { ...plan, policy: { ...plan.policy, maxFailures: 100 } };
    await expect(apply(laxer)).rejects.toMatchObject({ code: 'rollout-plan-edited' });
    await expect(apply({ ...plan, more: 1 } as RolloutPlan)).rejects.toMatchObject({ fault: 'usage' });
  });

  it('is refused when a device drifted, and names each', async () => {
    const plan = await core.client.planRollout(policy);
    await tag('a2', { fleet: 'b' });
    await expect(apply(plan)).rejects.toMatchObject(refusedFor("a2 does not match 'I@fleet:a' any more"));
    await tag('a2', { fleet: 'a', ring: 'lab' });
    await expect(apply(plan)).rejects.toMatchObject(refusedFor("a2 matches the exclusion 'I@ring:lab'"));
    await untag('a2', ['ring']);

    await tag('a1', { ring: 'other' });
    await expect(apply(plan)).rejects.toMatchObject(refusedFor('a1 does not match the selector of phase 1 any more'));
    await tag('a1', { ring: 'canary' });

    await tag('a3', { seal: 'broken' });
    await expect(apply(plan)).rejects.toMatchObject(refusedFor('a3 has other tags: seal is broken, and was not there'));
    await untag('a3', ['seal']);

    await tag('a3', { 'update-hold': 'trial' });
    await expect(apply(plan)).rejects.toMatchObject(refusedFor('a3 is held by the tag update-hold: trial'));
    await untag('a3', ['update-hold']);

    await core.client.quarantineDevices({ selector: 'a4', reason: 'odd' });
    await expect(apply(plan)).rejects.toMatchObject(refusedFor('a4 is quarantined'));
    await core.client.acceptDevices('a4');

    const { device } = boards['a5']!;
    device.say('flotilla.boot', {
      running: { bootId: 'a5-9', slot: 'b', bundleUuid: older.bundleUuid, version: '1.0.0' },
      agentVersion: '1',
    });
    await device.heard();
    const before = '00000000-0000-4000-8000-000000000001';
    await expect(apply(plan)).rejects.toMatchObject(refusedFor(`a5 runs 1.0.0, and ran ${before}`));

    await core.client.removeDevice('a6');
    const both = `a5 runs 1.0.0, and ran ${before}; a6 was removed from the fleet`;
    await expect(apply(plan)).rejects.toMatchObject(refusedFor(both));
    expect((await core.client.rollouts()).length).toBe(0);
  });

  it('is refused when a device was set up anew, or another one matches now', async () => {
    const plan = await core.client.planRollout(policy);
    boards['a2']!.device.leave();
    await enroll(core.client, 'a8');
    await tag('a8', { fleet: 'a' });
    await expect(apply(plan)).rejects.toMatchObject(refusedFor('a8 matches now, and is not in the plan'));
    await tag('a8', { fleet: 'b' });
    boards['a2'] = await board(core, 'a2', 0xb7n);
    await expect(apply(plan)).rejects.toMatchObject({
      code: 'rollout-drift',
      detail: { seen: expect.stringMatching(/^a2 was set up anew: its history is 0+b7, and was 0+a1$/) },
    });
  });

  it('is refused when a device has reverted the bundle since', async () => {
    boards['w1'] = await board(core, 'w1');
    await tag('w1', { crew: 'w' });
    const plan = await core.client.planRollout({ release: 'meter/2.0.0', selector: 'I@crew:w' });
    await core.client.startRollout({ release: 'meter/2.0.0', selector: 'w1' });
    await update(boards['w1'], release, 'rolled-back');
    await expect(apply(plan)).rejects.toMatchObject(refusedFor('w1 has reverted this bundle'));
  });

  it('is refused when a device was replaced by other hardware, which is named', async () => {
    for (const id of ['v1', 'v2']) await board(core, id);
    await tag('v1', { crew: 'v' });
    const plan = await core.client.planRollout({ release: 'meter/2.0.0', selector: 'I@crew:v' });
    await core.client.replaceDevice('v1', { by: 'v2' });
    // The new hardware has the tags of the old, and so matches; nobody has looked at it.
    const seen = 'v1 was replaced by v2; v2 matches now, and is not in the plan';
    await expect(apply(plan)).rejects.toMatchObject(refusedFor(seen));
  });

  it('is begun when nothing has changed, with exactly its targets and phases', async () => {
    const plan = await core.client.planRollout(policy);
    const other = await core.client.planRollout({ ...policy, exclude: 'a7' });
    boards['a3']!.device.leave(); // who is there now is no drift
    const rollout = await apply(plan);
    expect(rollout.state).toBe('running');
    const placed = (rollout.devices ?? []).map(({ deviceId, phase }) => [deviceId, phase + 1]);
    expect(Object.fromEntries(placed)).toEqual(
      Object.fromEntries(plan.targets.map(({ deviceId, phase }) => [deviceId, phase])),
    );
    await expect(apply(other)).rejects.toMatchObject({ code: 'rollout-device-held' });
    await core.client.changeRollout(rollout.id, 'abort', {});
  });

  it('becomes one rollout, however many apply it at once', async () => {
    // Another rollout on the same devices would wait for its turn: that is not what refuses it.
    const plan = await core.client.planRollout({ ...policy, supersede: 'queue' });
    const ended = await Promise.allSettled([apply(plan), apply(plan), apply(plan)]);
    const begun = ended.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    expect(begun).toHaveLength(1);
    const [{ id }] = begun as [Rollout];
    for (const each of ended)
      if (each.status === 'rejected')
        expect(each.reason).toMatchObject({
          code: 'rollout-plan-applied',
          detail: { seen: expect.stringContaining(id) },
        });
    expect((await core.client.rollouts()).filter(({ state }) => state === 'running').map((each) => each.id)).toEqual([
      id,
    ]);
    await core.client.changeRollout(id, 'abort', { action: 'cancel-all' });
    await expect(apply(plan)).rejects.toMatchObject({ code: 'rollout-plan-applied' });
  });
});

describe('supersede', () => {
  const fresh = async (...ids: string[]) => {
    for (const id of ids) {
      boards[id] = await board(core, id);
      await tag(id, { group: 's' });
    }
  };

  it('queue waits for its turn, and priority decides whose it is', async () => {
    await fresh('s1', 's2');
    const one = await core.client.startRollout({ release: 'meter/1.0.0', selector: 's1' });
    const low = await core.client.startRollout({ release: 'meter/2.0.0', selector: 's1', supersede: 'queue' });
    expect(low.counts).toEqual({ queued: 1 });
    const why = await core.client.why('s1', { rollout: low.id });
    expect(why.rules).toContainEqual({ rule: 'turn', verdict: 'blocks', detail: `${one.id} has it first` });
    await update(boards['s1']!, older, 'committed');
    expect(await core.client.rollout(one.id)).toMatchObject({ state: 'completed' });
    expect(await core.client.rollout(low.id)).toMatchObject({ counts: { offered: 1 } });
    await core.client.changeRollout(low.id, 'abort', {});
  });

  it('replace takes over who has not begun', async () => {
    const one = await core.client.startRollout({
      release: 'meter/1.0.0',
      selector: 's2',
      windows: { offer: [{ cron: '0 0 1 1 *', durationSeconds: 60, zone: 'UTC' }] },
    });
    expect(one.counts).toEqual({ queued: 1 });
    const two = await core.client.startRollout({ release: 'meter/2.0.0', selector: 's2', supersede: 'replace' });
    expect(await core.client.rollout(one.id)).toMatchObject({
      state: 'completed',
      devices: [{ state: 'cancelled', reason: { code: 'superseded', message: `${two.id} has taken it over` } }],
    });
    expect(two.counts).toEqual({ offered: 1 });
    await update(boards['s2']!, release, 'committed');
    expect((await core.client.rollout(two.id)).state).toBe('completed');
  });
});

describe('a rollout that fails', () => {
  it('brings back the release that its policy names, and says so in the audit log', async () => {
    boards['t1'] = await board(core, 't1');
    await expect(
      core.client.startRollout({ release: 'meter/2.0.0', selector: 't1', onFailure: { rollbackTo: 'meter/9.9.9' } }),
    ).rejects.toMatchObject({ code: 'release-unknown' });
    await expect(
      core.client.startRollout({ release: 'meter/2.0.0', selector: 't1', onFailure: { rollbackTo: 'meter/2.0.0' } }),
    ).rejects.toMatchObject({ code: 'rollout-rollback' });
    const { id } = await core.client.startRollout({
      release: 'meter/2.0.0',
      selector: 't1',
      onFailure: { rollbackTo: 'meter/1.0.0' },
    });
    await update(boards['t1'], release, 'rolled-back');
    expect(await core.client.rollout(id)).toMatchObject({ state: 'aborted', counts: { 'rolled-back': 1 } });
    expect(await core.client.rollout(`${id}-back`)).toMatchObject({ release: older.id, counts: { offered: 1 } });
  });
});

describe('a continuous rollout', () => {
  it('takes in a device that comes to match, without an operator', async () => {
    boards['u1'] = await board(core, 'u1');
    await tag('u1', { crew: 'u' });
    const { id } = await core.client.startRollout({ release: 'meter/2.0.0', selector: 'I@crew:u', continuous: true });
    await update(boards['u1'], release, 'committed');
    boards['u2'] = await board(core, 'u2');
    await tag('u2', { crew: 'u' });
    await update(boards['u2'], release, 'committed');
    expect(await core.client.rollout(id)).toMatchObject({ state: 'running', counts: { committed: 2 } });
    await core.client.changeRollout(id, 'abort', {});
  });
});
