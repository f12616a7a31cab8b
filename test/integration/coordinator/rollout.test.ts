import { readdir, readFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import type { RolloutFollowRow } from '../../../src/client/contract/index.ts';
import { writeKeyPair } from '../../../src/firmware/index.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { startCore, type CoreBench } from './core-bench.ts';
import { board, update } from './rollout-board.ts';
import { bundle, keys } from './signed-bundle.ts';

const blobs = async (core: CoreBench) =>
  (await readdir(join(core.config.data, 'blobs'), { recursive: true })).filter((name) => name !== 'tmp');

describe('publishing', () => {
  it('stores a bundle under its hash with the hashes of its parts, once, and never another under the same name', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const key = await keys(core);
    const path = await bundle(directory.path, '1.0.0', key);
    const release = await core.client.publish(path, { channel: 'stable' });
    const bytes = await readFile(path);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    expect(release).toMatchObject({ id: 'meter/1.0.0/stable', sha256, sizeBytes: bytes.length, platform: 'board' });
    expect(await blobs(core)).toEqual([sha256]);
    expect(await readFile(join(core.config.data, 'blobs', sha256))).toEqual(bytes);
    expect(await core.client.publish(path, { channel: 'stable' })).toEqual(release);
    expect((await core.client.release('meter/1.0.0')).id).toBe('meter/1.0.0/stable');

    const other = await bundle(directory.path, '1.0.0', key, 1000);
    await expect(core.client.publish(other, { channel: 'stable' })).rejects.toMatchObject({
      code: 'release-exists',
      fault: 'refused',
    });
    expect(await blobs(core)).toEqual([sha256]);
  });

  it('refuses without a key, without a signature, with a wrong one, and a bad name; keeps nothing of it', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const stranger = await writeKeyPair(join(directory.path, 'stranger'));
    const wrong = await bundle(directory.path, '1.0.0', stranger.privateKeyPath);
    const publish = (path: string, channel = 'stable') => core.client.publish(path, { channel });
    await expect(publish(wrong)).rejects.toMatchObject({ code: 'firmware-no-key' });
    const key = await keys(core);
    await expect(publish(wrong)).rejects.toMatchObject({ code: 'firmware-wrong-key' });
    await expect(publish(await bundle(directory.path, '1.0.1'))).rejects.toMatchObject({ code: 'firmware-unsigned' });
    await expect(publish(await bundle(directory.path, '1.0.2', key), '../x')).rejects.toMatchObject({
      code: 'release-name',
    });
    await expect(publish(await bundle(directory.path, 'a b', key))).rejects.toMatchObject({ code: 'release-name' });
    expect(await blobs(core)).toEqual([]);
    expect(await core.client.releases()).toEqual([]);
  });

  it.runIf(process.getuid?.() === 0)('names a full disk and leaves nothing half-written', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const path = await bundle(directory.path, '1.0.0', await keys(core), 2_000_000);
    const mounted = await execa('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', join(core.config.data, 'blobs')], {
      reject: false,
    });
    if (mounted.failed) return; // no right to mount here
    try {
      await expect(core.client.publish(path, { channel: 'stable' })).rejects.toMatchObject({
        code: 'disk-full',
        fault: 'failed',
      });
      expect(await blobs(core)).toEqual([]);
      expect((await core.client.status()).devices.total).toBe(0);
    } finally {
      await execa('umount', [join(core.config.data, 'blobs')]);
    }
  });
});

describe('a rollout', () => {
  it('goes through its phases over restarts of the coordinator, and is followed to its end', async () => {
    await using directory = await temporaryDirectory();
    let core = await startCore(directory.path);
    const release = await core.client.publish(await bundle(directory.path, '2.0.0', await keys(core)), {
      channel: 'stable',
    });
    let boards = [await board(core, 'b1'), await board(core, 'b2'), await board(core, 'b3')];
    const { id } = await core.client.startRollout({ release: 'meter/2.0.0', selector: '*' });
    await update(boards[0]!, release, 'committed');
    await boards[1]!.device.request('update.offer');
    await core.coordinator.stop();

    core = await startCore(directory.path);
    boards = [await board(core, 'b2', 0xb2n), await board(core, 'b3', 0xb2n)];
    const rows: RolloutFollowRow[] = [];
    const following = (async () => {
      for await (const row of core.client.followRollout(id)) rows.push(row);
    })();
    await update(boards[0]!, release, 'committed');
    await update(boards[1]!, release, 'committed');
    await following;
    expect(rows.at(-1)).toMatchObject({ kind: 'rollout', rollout: { state: 'completed', counts: { committed: 3 } } });
    const shown = await core.client.rollout(id);
    expect(shown.devices!.map(({ state, evidence }) => [state, evidence?.after?.bundleUuid])).toEqual(
      Array.from({ length: 3 }, () => ['committed', release.bundleUuid]),
    );
    await expect(core.client.changeRollout(id, 'pause', {})).rejects.toMatchObject({
      code: 'rollout-state',
      fault: 'refused',
    });
    expect((await core.client.why('b1', {})).deviceId).toBe('b1');
    await core.coordinator.stop();
  });

  it('halts when a canary rolls back, quarantines the pair, and why says what holds up the others', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const release = await core.client.publish(await bundle(directory.path, '3.0.0', await keys(core)), {
      channel: 'stable',
    });
    const boards = [await board(core, 'b1'), await board(core, 'b2'), await board(core, 'b3')];
    const { id, revision } = await core.client.startRollout({ release: release.id, selector: '*' });
    await update(boards[0]!, release, 'rolled-back');
    const halted = await core.client.rollout(id);
    expect(halted).toMatchObject({ state: 'halted', counts: { 'rolled-back': 1, waiting: 2 } });
    expect(boards[1]!.device.requests).toEqual([]);
    expect((await core.client.device('b1')).quarantinedBundles).toEqual([release.bundleUuid]);
    const why = await core.client.why('b2', {});
    expect(why.rules.find(({ verdict }) => verdict === 'blocks')).toMatchObject({ rule: 'rollout' });
    expect(why.conclusion).toContain('halted');

    const second = core.client.startRollout({ release: release.id, selector: 'b2' });
    await expect(second).rejects.toMatchObject({ code: 'rollout-device-held', detail: { seen: `b2 (${id})` } });
    await expect(core.client.changeRollout(id, 'abort', { expectedRevision: revision })).rejects.toMatchObject({
      code: 'rollout-changed',
    });
    await core.client.changeRollout(id, 'abort', { expectedRevision: halted.revision, reason: 'bad release' });
    expect(await core.client.rollout(id)).toMatchObject({
      state: 'aborted',
      reason: 'bad release',
      counts: { cancelled: 2 },
    });
    const again = await core.client.startRollout({ release: release.id, selector: 'b1' });
    expect(again).toMatchObject({ state: 'completed', counts: { rejected: 1 } });
  });
});
