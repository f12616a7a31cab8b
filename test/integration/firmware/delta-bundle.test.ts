import { randomBytes } from 'node:crypto';
import { chmod, cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  applyBundle,
  buildBundle,
  buildDeltaBundle,
  readPublicKey,
  verifyBundle,
  type DeltaBundle,
} from '../../../src/firmware/index.ts';
import { flotilla } from '../../support/cli.ts';
import { vectors } from '../../support/fwup-vector.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

let scratch: Awaited<ReturnType<typeof temporaryDirectory>>;
let publicKeys: Buffer[];
let count = 0;

beforeAll(async () => {
  scratch = await temporaryDirectory();
  publicKeys = [await readPublicKey(join(vectors, 'keys', 'alpha.pub'))];
  await cp(join(vectors, 'keys', 'alpha.priv'), join(scratch.path, 'alpha.priv'));
  await chmod(join(scratch.path, 'alpha.priv'), 0o600);
});
afterAll(() => scratch[Symbol.asyncDispose]());

const slotA = 2_048;
const slotB = 10_240;

interface Version {
  rootfs: Buffer;
  kernel?: Buffer;
  version: string;
  product?: string;
  /** What the on-resource sections of upgrades say. */
  takes?: (source: number) => string;
}

/** A product of two slots: `complete` writes a, `upgrade.a` and `upgrade.b` write theirs from the other one. */
async function build({ rootfs, kernel, version, product = 'buoy', takes = rawSource }: Version): Promise<string> {
  const folder = join(scratch.path, String(++count));
  await mkdir(folder);
  await writeFile(join(folder, 'rootfs.img'), rootfs);
  if (kernel) await writeFile(join(folder, 'kernel.img'), kernel);
  const upgrade = (slot: string, target: number, source: number) => `
task upgrade.${slot} {
  on-resource rootfs { ${takes(source)}
    raw_write(${target}) }
  ${kernel ? 'on-resource kernel { raw_write(64) }' : ''}
}`;
  const text = `meta-product = "${product}"
meta-version = "${version}"
meta-platform = "harbour"
file-resource rootfs { host-path = "rootfs.img" }
${kernel ? 'file-resource kernel { host-path = "kernel.img" }' : ''}
task complete {
  on-resource rootfs { raw_write(${slotA}) }
  ${kernel ? 'on-resource kernel { raw_write(64) }' : ''}
}
${upgrade('b', slotB, slotA)}
${upgrade('a', slotA, slotB)}
`;
  await writeFile(join(folder, 'fwup.conf'), text);
  const path = join(folder, 'bundle.fw');
  await buildBundle({
    configPath: join(folder, 'fwup.conf'),
    outputPath: path,
    privateKeyPath: join(scratch.path, 'alpha.priv'),
    sourceDateEpochSeconds: 1_700_000_000,
  });
  return path;
}

function rawSource(block: number): string {
  return `delta-source-raw-offset = ${block}\n    delta-source-raw-count = 8192`;
}

function edited(bytes: Buffer): Buffer {
  const changed = Buffer.from(bytes);
  randomBytes(3_000).copy(changed, 40_000);
  return Buffer.concat([changed.subarray(0, 200_000), Buffer.from('a new file'), changed.subarray(200_000)]);
}

describe('a delta bundle', () => {
  it('brings a device that runs the old bundle to the bytes of the full one, with its signature and UUID', async () => {
    const old = randomBytes(1_500_000);
    const fresh = edited(old);
    const before = await build({ rootfs: old, kernel: randomBytes(30_000), version: '1.0.0' });
    const after = await build({ rootfs: fresh, kernel: randomBytes(30_000), version: '1.0.1' });
    const outputPath = join(scratch.path, 'delta.fw');
    const ran = await flotilla(['firmware', 'delta', before, after, '-o', outputPath, '--json']);
    expect(ran).toMatchObject({ exitCode: 0, stderr: '' });
    const delta = ran.json<DeltaBundle>();
    expect(delta.resources).toMatchObject([
      { name: 'rootfs', from: 'rootfs' },
      { name: 'kernel', reason: expect.stringContaining('no task takes a delta') },
    ]);
    expect(delta.resources[0]!.reason).toBeUndefined();
    expect(delta.fileBytes).toBeLessThan(50_000);
    expect(delta.fileBytes).toBe((await readFile(outputPath)).length);
    const [full, summary] = [await verifyBundle({ path: after, publicKeys }), await verifyBundle({ path: outputPath, publicKeys })]; // prettier-ignore
    expect(summary).toMatchObject({ uuid: full.uuid, resources: full.resources, creationDate: full.creationDate });

    const destinationPath = join(scratch.path, 'disk.img');
    await applyBundle({ path: before, destinationPath, task: 'complete', publicKeys });
    await applyBundle({ path: outputPath, destinationPath, task: 'upgrade.b', publicKeys });
    const disk = await readFile(destinationPath);
    expect(disk.subarray(slotB * 512, slotB * 512 + fresh.length).equals(fresh)).toBe(true);
    expect(disk.subarray(slotA * 512, slotA * 512 + old.length).equals(old)).toBe(true);
    // A device that runs something else is told so by the bytes themselves.
    const other = join(scratch.path, 'other.img');
    await applyBundle({ path: after, destinationPath: other, task: 'complete', publicKeys });
    await expect(
      applyBundle({ path: outputPath, destinationPath: other, task: 'upgrade.b', publicKeys }),
    ).rejects.toMatchObject({ code: expect.stringMatching(/^firmware-(delta-failed|resource-damaged)$/) });
  });

  it('is not written when there is nothing to win, and what was there stays', async () => {
    const before = await build({ rootfs: randomBytes(100_000), version: '1.0.0' });
    const after = await build({ rootfs: randomBytes(100_000), version: '1.0.1' });
    const outputPath = join(scratch.path, 'kept.fw');
    await writeFile(outputPath, 'kept');
    const option = { beforePath: before, afterPath: after, outputPath };
    await expect(buildDeltaBundle(option)).rejects.toMatchObject({ fault: 'refused', code: 'firmware-delta-no-gain' });
    expect(await readFile(outputPath, 'utf8')).toBe('kept');
    expect((await readdir(scratch.path)).filter((name) => name.includes('.tmp'))).toEqual([]);
  });

  it.each([
    [
      'the tasks read where the old bundle writes nothing',
      { takes: () => rawSource(77) },
      'writes nothing at block 77',
    ],
    [
      'the old bytes come decrypted, and were not written encrypted',
      {
        takes: (block: number) =>
          `${rawSource(block)}\n    delta-source-raw-options = "cipher=aes-cbc-plain,secret=${'0'.repeat(32)}"`,
      },
      'writes nothing at block',
    ],
    ['no task takes one', { takes: () => '' }, 'no task takes a delta'],
  ])('keeps the whole resource when %s', async (_case, { takes }, reason) => {
    const rootfs = randomBytes(60_000);
    const before = await build({ rootfs, version: '1.0.0' });
    const after = await build({ rootfs: edited(rootfs), version: '1.0.1', takes });
    await expect(
      buildDeltaBundle({ beforePath: before, afterPath: after, outputPath: join(scratch.path, 'none.fw') }),
    ).rejects.toMatchObject({ detail: { seen: expect.stringContaining(reason) } });
  });

  it('is not made from a delta, for another product, or from the same bundle', async () => {
    const rootfs = randomBytes(300_000);
    const before = await build({ rootfs, version: '1.0.0' });
    const after = await build({ rootfs: edited(rootfs), version: '1.0.1' });
    const other = await build({ rootfs: edited(rootfs), version: '1.0.1', product: 'barge' });
    const outputPath = join(scratch.path, 'first.fw');
    const make = (beforePath: string, afterPath: string) =>
      buildDeltaBundle({ beforePath, afterPath, outputPath: join(scratch.path, 'second.fw') });
    await buildDeltaBundle({ beforePath: before, afterPath: after, outputPath });
    await expect(make(before, outputPath)).rejects.toMatchObject({ code: 'firmware-delta-of-delta' });
    await expect(make(before, other)).rejects.toMatchObject({ code: 'firmware-delta-other-product' });
    await expect(make(after, after)).rejects.toMatchObject({ code: 'firmware-delta-same' });
    const later = await build({ rootfs: edited(edited(rootfs)), version: '1.0.2' });
    await expect(make(outputPath, later)).rejects.toMatchObject({ code: 'firmware-delta-of-delta' });
  });
});
