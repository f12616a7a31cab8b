import { randomBytes } from 'node:crypto';
import { open, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildBundle, buildDeltaBundle, inspectBundle, signBundle, writeKeyPair } from '../../../src/firmware/index.ts';
import { productPath } from '../../../src/board/index.ts';
import type { UpdateEvent } from '../../../src/protocol/event.ts';
import type { DeltaOffer } from '../../../src/protocol/request.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { offerOf, updatingDevice, type Sabotage, type UpdatingDevice } from '../../support/updating-device.ts';

let dir: Awaited<ReturnType<typeof temporaryDirectory>>;
let key: { publicKeyPath: string; privateKeyPath: string };
let v1: string;
let v2: string;
let made = 0;

/** The example product's layout with a rootfs of noise: as large as it has to be for an install to take a while. */
async function build(
  version: string,
  rootfsBytes: number,
  { signed = true, rootfs = randomBytes(rootfsBytes) }: { signed?: boolean; rootfs?: Buffer } = {},
): Promise<string> {
  const at = (name: string) => join(dir.path, `${version}-${name}`);
  await writeFile(at('boot.img'), 'boot');
  await writeFile(at('rootfs.img'), rootfs);
  const outputPath = at(signed ? 'signed.fw' : 'unsigned.fw');
  await buildBundle({
    configPath: join(productPath(), 'fwup.conf'),
    outputPath,
    variables: { HM_VERSION: version, HM_BOOT: at('boot.img'), HM_ROOTFS: at('rootfs.img') },
    compressionLevel: 1,
    ...(signed ? { privateKeyPath: key.privateKeyPath } : {}),
  });
  return outputPath;
}

beforeAll(async () => {
  dir = await temporaryDirectory();
  key = await writeKeyPair(join(dir.path, 'key'));
  v1 = await build('1.0.0', 5_000);
  v2 = await build('2.0.0', 3_000_000);
});
afterAll(() => dir[Symbol.asyncDispose]());

async function device(bundle = v2): Promise<UpdatingDevice> {
  const fresh = await updatingDevice(join(dir.path, `device-${++made}`), {
    bundle: v1,
    publicKeyPath: key.publicKeyPath,
  });
  fresh.configure({ bundle });
  return fresh;
}

const states = (events: UpdateEvent[]) =>
  events.map(({ state }) => state).filter((state, index, all) => state !== all[index - 1]);

/** Judged from the disk and the images that were built, not by what the updater says. */
async function expectV2Proven(on: UpdatingDevice): Promise<UpdateEvent[]> {
  const events = on.events();
  const last = events.at(-1)!;
  expect(last).toMatchObject({ state: 'committed', evidence: { slotDigestMatches: true, after: { slot: 'b' } } });
  expect(last.evidence!.after!.bootId).not.toBe(last.evidence!.before.bootId);
  expect(last.evidence!.after!.bundleUuid).toBe(last.bundleUuid);
  const image = await readFile(join(dir.path, '2.0.0-rootfs.img'));
  expect((await on.slotBytes('b', image.length)).equals(image)).toBe(true);
  const environment = await on.environment();
  expect(Object.fromEntries(environment)).toMatchObject({
    active_slot: 'b',
    upgrade_available: '0',
    bootcount: '0',
    'b.uuid': last.bundleUuid,
  });
  return events;
}

/** Fires once. */
function once(when: (said: Parameters<Sabotage>[0]) => boolean, what: 'agent' | 'power', delayMs = 0): Sabotage {
  let done = false;
  return async (said) => {
    if (done || !when(said)) return undefined;
    done = true;
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
    return what;
  };
}

describe('an update of a device', () => {
  it('goes through every state, once each, to a proven new slot', async () => {
    const on = await device();
    expect(await on.run(await offerOf(v2, 'r1'))).toEqual({ boots: 1, starts: 2 });
    const events = await expectV2Proven(on);
    expect(states(events)).toEqual([
      'offered',
      'downloading',
      'verified',
      'installing',
      'rebooting',
      'testing',
      'committed',
    ]);
    await expect(stat(join(on.disk, '..', 'state', 'download.fw'))).rejects.toThrow('ENOENT');
  });

  describe('with a delta', () => {
    let near: string;
    let patched: string;
    let delta: DeltaOffer;

    /** As 2.0.0 with a few bytes changed. */
    beforeAll(async () => {
      near = await build('2.1.0', 0, { rootfs: await nearRootfs() });
      patched = join(dir.path, 'delta.fw');
      await buildDeltaBundle({ beforePath: v2, afterPath: near, outputPath: patched });
      const { bundle } = await offerOf(patched, '');
      const { sizeBytes, sha256, partBytes, partSha256 } = bundle;
      delta = { fromUuid: (await inspectBundle(v2)).uuid, sizeBytes, sha256, partBytes, partSha256 };
    });

    async function nearRootfs(): Promise<Buffer> {
      const bytes = await readFile(join(dir.path, '2.0.0-rootfs.img'));
      randomBytes(2_000).copy(bytes, 1_000_000);
      return bytes;
    }

    async function onV2(): Promise<UpdatingDevice> {
      const on = await updatingDevice(join(dir.path, `device-${++made}`), {
        bundle: v2,
        publicKeyPath: key.publicKeyPath,
      });
      on.configure({ bundle: near, delta: { path: patched, sha256: delta.sha256 } });
      return on;
    }

    it('fetches the patch alone, and what it makes is proven like the whole', async () => {
      const on = await onV2();
      const fetched: boolean[] = [];
      await on.run({ ...(await offerOf(near, 'r1')), delta }, (said) => {
        if (said.fetch !== undefined) fetched.push(said.isDelta === true);
        return undefined;
      });
      expect(fetched.length).toBeGreaterThan(0);
      expect(fetched).not.toContain(false);
      const last = on.events().at(-1)!;
      expect(last).toMatchObject({
        state: 'committed',
        evidence: { slotDigestMatches: true, deltaFrom: delta.fromUuid, downloadedBytes: delta.sizeBytes },
      });
      expect(delta.sizeBytes).toBeLessThan(20_000);
      const image = await readFile(join(dir.path, '2.1.0-rootfs.img'));
      expect((await on.slotBytes('b', image.length)).equals(image)).toBe(true);
    });

    it('takes the whole bundle when the slot does not hold what the patch was made from', async () => {
      const on = await onV2();
      const disk = await open(on.disk, 'r+');
      await disk.write(Buffer.from('worn'), 0, 4, 4096 * 512 + 2_000_000);
      await disk.close();
      await on.run({ ...(await offerOf(near, 'r1')), delta });
      const events = on.events();
      expect(states(events)).toEqual(['offered', 'downloading', 'verified', 'installing', 'downloading', 'verified', 'installing', 'rebooting', 'testing', 'committed']); // prettier-ignore
      const { evidence } = events.at(-1)!;
      expect(evidence).toMatchObject({ slotDigestMatches: true, deltaFailed: expect.stringMatching(/delta|damaged/) });
      expect(evidence!.deltaFrom).toBeUndefined();
      const image = await readFile(join(dir.path, '2.1.0-rootfs.img'));
      expect((await on.slotBytes('b', image.length)).equals(image)).toBe(true);
    });

    it('does not take one that was made from another bundle, or that another key has signed', async () => {
      const on = await onV2();
      await on.run({
        ...(await offerOf(near, 'r1')),
        delta: { ...delta, fromUuid: 'ffffffff-0000-5000-8000-000000000000' },
      });
      expect(on.events().at(-1)).toMatchObject({ state: 'committed' });
      expect(on.events().at(-1)!.evidence!.deltaFrom).toBeUndefined();
      const cheated = await onV2();
      const stranger = await writeKeyPair(join(dir.path, `stranger-${made}`));
      const other = join(dir.path, 'other-delta.fw');
      await signBundle({ inputPath: patched, outputPath: other, privateKeyPath: stranger.privateKeyPath });
      const { sizeBytes, sha256, partBytes, partSha256 } = (await offerOf(other, '')).bundle;
      cheated.configure({ delta: { path: other, sha256 } });
      const offer = { ...(await offerOf(near, 'r1')), delta: { ...delta, sizeBytes, sha256, partBytes, partSha256 } };
      await cheated.run(offer);
      expect(cheated.events().at(-1)).toMatchObject({
        state: 'committed',
        evidence: { deltaFailed: expect.stringContaining('signature') },
      });
    });
  });

  for (const what of ['agent', 'power'] as const) {
    it(`is taken up where it stood when the ${what} dies in the download`, async () => {
      const on = await device();
      let fetched = 0;
      const fetchedTwice = new Set<number>();
      const seen = new Set<number>();
      const kill = once(() => fetched === 6, what);
      await on.run(await offerOf(v2, 'r1'), (said) => {
        if (said.fetch !== undefined) {
          fetched += 1;
          if (seen.has(said.fetch)) fetchedTwice.add(said.fetch);
          seen.add(said.fetch);
        }
        return kill(said);
      });
      await expectV2Proven(on);
      expect(fetchedTwice.size).toBeLessThanOrEqual(2); // what was in flight
    });
  }

  for (const [state, what] of [
    ['offered', 'agent'],
    ['verified', 'power'],
    ['rebooting', 'agent'],
    ['testing', 'agent'],
    ['testing', 'power'],
  ] as const) {
    it(`ends on the new slot when the ${what} dies on entering ${state}`, async () => {
      const on = await device();
      await on.run(
        await offerOf(v2, 'r1'),
        once((said) => said.state === state, what),
      );
      const installs = (await expectV2Proven(on)).filter((event) => event.state === 'installing');
      // The death comes a moment after the state was told: before the flip, the install may have begun by then.
      const isFlipped = state === 'rebooting' || state === 'testing';
      expect(Math.max(...installs.map(({ attempt }) => attempt))).toBeLessThanOrEqual(isFlipped ? 1 : 2);
      if (isFlipped) expect(installs).toHaveLength(1);
    });
  }

  for (const delayMs of [0, 20, 60]) {
    it(`never writes a flipped slot again when power fails ${delayMs} ms into the install`, async () => {
      const on = await device();
      await on.run(
        await offerOf(v2, 'r1'),
        once((said) => said.state === 'installing', 'power', delayMs),
      );
      const events = await expectV2Proven(on);
      // Each start tells the state again, so entries are counted by their number.
      expect(
        Math.max(...events.filter(({ state }) => state === 'installing').map(({ attempt }) => attempt)),
      ).toBeLessThanOrEqual(2);
      expect(events.filter(({ state }) => state === 'rebooting').every(({ attempt }) => attempt === 1)).toBe(true);
    });
  }
});

describe('an update that is not good', () => {
  it('goes back to the old slot when a health check fails, and says which', async () => {
    const on = await device();
    const check = { name: 'meter', command: ['sh', '-c', 'echo no meter >&2; exit 3'], timeoutMs: 5_000 };
    on.configure({ health: { checks: [check], soakSeconds: 0, connectTimeoutSeconds: 2 } });
    expect(await on.run(await offerOf(v2, 'r1'))).toEqual({ boots: 2, starts: 3 });
    const last = on.events().at(-1)!;
    expect(last).toMatchObject({
      state: 'rolled-back',
      reason: { code: 'health-check', message: 'health check failed: meter (exit 3)' },
      evidence: { after: { slot: 'a' }, health: [{ name: 'meter', ok: false, exitCode: 3, output: 'no meter\n' }] },
    });
    expect(Object.fromEntries(await on.environment())).toMatchObject({ active_slot: 'a', upgrade_available: '0' });
  });

  it('goes back when the new slot does not reach the coordinator in time', async () => {
    const on = await device();
    on.configure({ linked: (slot) => slot === 'a' });
    await on.run(await offerOf(v2, 'r1'));
    expect(on.events().at(-1)).toMatchObject({ state: 'rolled-back', reason: { code: 'not-connected' } });
  });

  it('goes back when the power fails between the decision and the restart', async () => {
    const on = await device();
    const check = { name: 'meter', command: ['false'], timeoutMs: 5_000 };
    on.configure({ health: { checks: [check], soakSeconds: 0, connectTimeoutSeconds: 2 } });
    await on.run(
      await offerOf(v2, 'r1'),
      once((said) => said.state === 'reverting', 'power'),
    );
    expect(on.events().at(-1)).toMatchObject({ state: 'rolled-back', evidence: { after: { slot: 'a' } } });
  });

  it('is reported as a fall-back when the boot loader gave the new slot up', async () => {
    const on = await device();
    let boots = 0;
    // Dies on every entry to testing, so the boot loader counts past its limit of two.
    await on.run(await offerOf(v2, 'r1'), (said) => (said.state === 'testing' && ++boots <= 2 ? 'power' : undefined));
    expect(on.events().at(-1)).toMatchObject({
      state: 'rolled-back',
      reason: { code: 'bootloader-fallback' },
      evidence: { after: { slot: 'a' } },
    });
    expect((await on.environment()).get('active_slot')).toBe('a');
  });

  it('finds a byte of the new slot that is not the bundle’s', async () => {
    const on = await device();
    await on.run(await offerOf(v2, 'r1'), async (said) => {
      if (said.state === 'rebooting') {
        // That byte alone: the machine reads and writes its disk at the same time.
        await using disk = await open(on.disk, 'r+');
        const offset = 20_480 * 512 + 1_000;
        const { buffer } = await disk.read(Buffer.alloc(1), 0, 1, offset);
        await disk.write(Buffer.of(buffer[0]! ^ 1), 0, 1, offset);
      }
      return undefined;
    });
    expect(on.events().at(-1)).toMatchObject({
      state: 'rolled-back',
      reason: { code: 'slot-digest' },
      evidence: { slotDigestMatches: false },
    });
  });

  it('is given up, on the old slot, when the machine does not restart', async () => {
    const on = await device();
    on.configure({ reboot: { command: ['true'], timeoutSeconds: 0.05 } });
    await on.run(await offerOf(v2, 'r1'));
    const events = on.events();
    expect(events.filter(({ state }) => state === 'rebooting')).toHaveLength(3);
    expect(events.at(-1)).toMatchObject({ state: 'failed', reason: { code: 'attempts-exhausted' } });
    expect(Object.fromEntries(await on.environment())).toMatchObject({ active_slot: 'a', upgrade_available: '0' });
  });
});

describe('what a device does not take', () => {
  const refused = async (on: UpdatingDevice, ...args: Parameters<typeof offerOf>) => {
    const disk = await readFile(on.disk);
    await on.run(await offerOf(...args));
    expect((await readFile(on.disk)).equals(disk)).toBe(true);
    return on.events().at(-1);
  };

  it('is a bundle that nobody signed, or somebody else', async () => {
    const unsigned = await build('2.0.1', 5_000, { signed: false });
    expect(await refused(await device(unsigned), unsigned, 'r1')).toMatchObject({
      state: 'rejected',
      reason: { code: 'bundle-untrusted' },
    });
    const stranger = await writeKeyPair(join(dir.path, 'stranger'));
    const foreign = join(dir.path, 'foreign.fw');
    await signBundle({ inputPath: unsigned, outputPath: foreign, privateKeyPath: stranger.privateKeyPath });
    expect(await refused(await device(foreign), foreign, 'r1')).toMatchObject({
      state: 'rejected',
      reason: { code: 'bundle-untrusted' },
    });
  });

  it('is a bundle for another product or platform, told before a byte is fetched', async () => {
    expect(await refused(await device(), v2, 'r1', { product: 'toaster' })).toMatchObject({
      reason: { code: 'wrong-product' },
    });
    expect(await refused(await device(), v2, 'r1', { platform: 'other' })).toMatchObject({
      reason: { code: 'wrong-platform' },
    });
  });

  it('is another bundle than the offer names', async () => {
    const wrong = { bundleUuid: '00000000-0000-0000-0000-000000000000' };
    expect(await refused(await device(), v2, 'r1', wrong)).toMatchObject({
      state: 'rejected',
      reason: { code: 'bundle-not-offered' },
    });
  });

  it('is the bundle that runs already', async () => {
    expect(await refused(await device(v1), v1, 'r1')).toMatchObject({
      state: 'rejected',
      reason: { code: 'already-running' },
    });
  });

  it('is a part of another hash, after a few tries', async () => {
    const on = await device(v1);
    expect(await refused(on, v2, 'r1')).toMatchObject({ state: 'failed', reason: { code: 'part-corrupt' } });
  });
});
