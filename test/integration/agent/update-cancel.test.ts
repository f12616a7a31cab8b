import { randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createUbootSlots } from '../../../src/agent/slot/uboot-slot.ts';
import { ProductHealth } from '../../../src/agent/updater/product-health.ts';
import { Updater } from '../../../src/agent/updater/updater.ts';
import { productPath } from '../../../src/board/index.ts';
import { defaultUpdateRules } from '../../../src/config/agent-default.ts';
import { FlotillaError } from '../../../src/error.ts';
import { applyBundle, buildBundle, readPublicKey, writeKeyPair } from '../../../src/firmware/index.ts';
import type { UpdateEvent } from '../../../src/protocol/event.ts';
import { Lane } from '../../../src/protocol/lane.ts';
import { agentParts, type AgentParts } from '../../support/agent-parts.ts';
import { eventually } from '../../support/eventually.ts';
import { offerOf } from '../../support/updating-device.ts';

const settle = () => undefined;

/** A device on a real disk whose link gives parts only while `open` holds. */
async function deviceWith(parts: AgentParts) {
  const at = (name: string) => join(parts.dir, name);
  const { publicKeyPath, privateKeyPath } = await writeKeyPair(at('key'));
  const build = async (version: string) => {
    await writeFile(at('boot.img'), 'boot');
    await writeFile(at('rootfs.img'), randomBytes(600_000));
    const variables = { HM_VERSION: version, HM_BOOT: at('boot.img'), HM_ROOTFS: at('rootfs.img') };
    const outputPath = at(`${version}.fw`);
    await buildBundle({
      configPath: join(productPath(), 'fwup.conf'),
      outputPath,
      variables,
      privateKeyPath,
      compressionLevel: 1,
    });
    return outputPath;
  };
  const publicKeys = [await readPublicKey(publicKeyPath)];
  const disk = at('disk.img');
  await applyBundle({ path: await build('1.0.0'), destinationPath: disk, task: 'complete', publicKeys });
  const bundle = await build('2.0.0');
  const bytes = await readFile(bundle);
  const gate = { open: false, refusals: 0, fetches: 0 };
  parts.link.fetch = async ({ offset, length }, signal) => {
    gate.fetches += 1;
    if (gate.refusals-- > 0) throw new FlotillaError('refused', 'blob-refused', 'not yet');
    if (!gate.open)
      await new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error)));
    return bytes.subarray(offset, offset + length);
  };
  const slots = createUbootSlots({
    destination: disk,
    blockOffset: 1024,
    blockCount: 16,
    blockOffsetRedund: 1280,
    activeVariable: 'active_slot',
    pendingVariable: 'upgrade_available',
    bootcountVariable: 'bootcount',
    uuidVariablePrefix: '',
  });
  const machine = { bootId: () => 'boot-1', uptimeMs: () => performance.now() };
  const updater = new Updater({
    ...parts,
    machine,
    rules: { ...defaultUpdateRules, hooks: { ...defaultUpdateRules.hooks, directory: at('hooks') } },
    zone: 'UTC',
    grains: async () => ({}),
    rebootHold: () => undefined,
    productHealth: new ProductHealth({ database: parts.database, machine }),
    slots,
    running: async () => ({ bootId: 'boot-1', slot: 'a', bundleUuid: (await slots.read()).slots['a']!.uuid! }),
    policy: {
      product: 'harbour-meter',
      platform: 'hm-gateway-1',
      publicKeys,
      destination: disk,
      task: 'upgrade',
      activeVariable: 'active_slot',
      reboot: { command: ['true'], timeoutSeconds: 0.01 },
      health: { checks: [], soakSeconds: 0, connectTimeoutSeconds: 1 },
    },
    directory: parts.dir,
  });
  await updater.start();
  const events = () => parts.events<UpdateEvent>(Lane.control, 'flotilla.update');
  return {
    updater,
    bundle,
    gate,
    events,
    last: (rolloutId: string) => events().findLast((event) => event.rolloutId === rolloutId),
  };
}

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
