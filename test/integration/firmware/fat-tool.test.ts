import { createHash } from 'node:crypto';
import { chmod, cp, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Disk } from '../../../src/firmware/apply/disk.ts';
import { FatVolumes } from '../../../src/firmware/apply/fat/volume-set.ts';
import type { FatVolume } from '../../../src/firmware/apply/fat/volume.ts';
import { SegmentCache } from '../../../src/firmware/apply/segment-cache.ts';
import { applyBundle, buildBundle, readPublicKey } from '../../../src/firmware/index.ts';
import { Dice } from '../../soak/dice.ts';
import { FatModel } from '../../support/fat-model.ts';
import { readFatTree } from '../../support/fat-reader.ts';
import { vectors } from '../../support/fwup-vector.ts';
import { hasTools, toolPath } from '../../support/system-tool.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const hasAll = hasTools('FAT with mtools and fsck.vfat', 'mdir', 'mcopy', 'mmd', 'mdel', 'fsck.vfat', 'mkfs.vfat');
const env = { PATH: toolPath, MTOOLS_SKIP_CHECK: '1', LC_ALL: 'C' };

let scratch: Awaited<ReturnType<typeof temporaryDirectory>>;
beforeAll(async () => {
  scratch = await temporaryDirectory();
});
afterAll(() => scratch[Symbol.asyncDispose]());

let count = 0;
const newPath = (extension: string): string => join(scratch.path, `${++count}.${extension}`);
const content = (seed: number, length: number): Buffer => Buffer.from(new Dice(seed).bytes(length));

/** `fsck.vfat -n` on the file system that starts at this byte; its output and exit code. */
async function fsck(image: string, offset: number): Promise<{ exitCode: number | undefined; output: string }> {
  const alone = newPath('vfat');
  await writeFile(alone, (await readFile(image)).subarray(offset));
  const { exitCode, stdout } = await execa('fsck.vfat', ['-n', '-v', alone], { env, reject: false });
  return { exitCode, output: stdout };
}

const mtools = (program: string, image: string, offset: number, ...args: string[]) =>
  execa(program, ['-i', `${image}@@${offset}`, ...args], { env, encoding: 'buffer', stripFinalNewline: false });

/** Every file with its bytes, as mtools sees them; directories have null. */
async function listing(image: string, offset: number): Promise<Map<string, Buffer | null>> {
  const { stdout } = await mtools('mdir', image, offset, '-b', '-a', '-/', '::');
  const paths = Buffer.from(stdout).toString().split('\n').map((line) => line.trim()).filter((line) => line !== ''); // prettier-ignore
  const found = new Map<string, Buffer | null>();
  for (const path of paths) {
    const plain = path.slice(2);
    if (plain.endsWith('/')) found.set(plain.slice(0, -1), null);
    else found.set(plain, Buffer.from((await mtools('mtype', image, offset, path)).stdout));
  }
  return found;
}

function expectSame(found: ReadonlyMap<string, Buffer | null>, model: FatModel): void {
  expect([...found.keys()].sort()).toEqual([...model.files.values()].map(({ path }) => path).sort());
  for (const file of model.files.values()) {
    const seen = found.get(file.path);
    expect(seen?.equals(file.content) ?? file.isDirectory, file.path).toBe(true);
  }
}

/** The same random changes to a file system and to the model, from a seed. */
async function change(volume: FatVolume, model: FatModel, seed: number): Promise<void> {
  const dice = new Dice(seed);
  const name = (): string =>
    dice.of(['A.TXT', 'config.txt', 'Kernel 8.img', 'overlays', 'sub', 'long-name-of-a-file.dtbo']);
  const path = (): string => `/${Array.from({ length: 1 + dice.below(3) }, name).join('/')}`;
  for (let step = 0; step < 80; step++) {
    const at = path();
    const to = path();
    const bytes = content(seed + step, dice.of([0, 1, 511, 512, 513, 6000]));
    const acts: [() => unknown, () => Promise<unknown>][] = [
      [() => model.mkdir(at), () => volume.mkdir(at)],
      [() => model.mkdir(at), () => volume.mkdir(at)],
      [() => model.write(at, bytes), () => write(volume, at, bytes)],
      [() => model.write(at, bytes), () => write(volume, at, bytes)],
      [() => model.remove(at), () => volume.remove(at)],
      [() => model.move(at, to), () => volume.move(at, to)],
      [() => model.touch(at), () => volume.touch(at)],
    ];
    const [expected, real] = dice.of(acts);
    const fault = expected();
    const seen = await real().then(() => undefined, (error: { kind: string }) => error.kind); // prettier-ignore
    expect({ seed, step, at, to, seen }).toEqual({ seed, step, at, to, seen: fault });
  }
}

async function write(volume: FatVolume, path: string, bytes: Buffer): Promise<void> {
  const writer = await volume.write(path);
  await writer.append(bytes);
  await writer.finish();
}

async function withVolume(image: string, block: number, use: (volume: FatVolume) => Promise<void>): Promise<void> {
  const disk = await Disk.open(image);
  try {
    const cache = new SegmentCache(disk, 8);
    await use(new FatVolumes(cache).at(block));
    await cache.flush();
  } finally {
    await disk.close();
  }
}

describe.skipIf(!hasAll)('what we make', () => {
  it.each([
    [12, 2_000],
    [16, 9_000],
    [32, 67_000],
  ])('is a sound FAT%i to fsck.vfat and mtools', async (type, sectors) => {
    for (const seed of [1, 2, 3]) {
      const image = newPath('img');
      const model = new FatModel();
      await writeFile(image, '');
      await withVolume(image, 8, async (volume) => {
        await volume.format(sectors);
        await change(volume, model, seed * 1000 + type);
      });
      const { exitCode, output } = await fsck(image, 4096);
      expect({ exitCode, output }).toMatchObject({ exitCode: 0 });
      expect(output).toContain(`${type} bit entries`);
      expectSame(await listing(image, 4096), model);
    }
  });
});

describe.skipIf(!hasAll)('what others make', () => {
  it.each([
    ['-F12 -s1', 2_000],
    ['-F12 -s4', 9_000],
    ['-F16 -s2', 20_000],
    ['-F16 -s8', 70_000],
    ['-F32 -s1', 67_000],
    ['-F32 -s8', 600_000],
    ['-F12 -f1 -r64', 2_000],
  ])('is read and changed: mkfs.vfat %s', async (options, sectors) => {
    const image = newPath('img');
    await writeFile(image, '');
    await truncate(image, sectors * 512);
    await execa('mkfs.vfat', [...options.split(' '), '-n', 'THEIRS', image], { env });
    const model = new FatModel();
    const file = newPath('bin');
    for (const [index, path] of ['/config.txt', '/overlays/Kernel 8.img', '/overlays/sub/A.TXT'].entries()) {
      const folder = path.slice(0, path.lastIndexOf('/'));
      if (folder !== '') {
        await mtools('mmd', image, 0, `::${folder}`);
        model.mkdir(folder);
      }
      await writeFile(file, content(index, 10_000));
      await mtools('mcopy', image, 0, file, `::${path}`);
      model.write(path, content(index, 10_000));
    }
    expectSame(await listing(image, 0), model);
    await withVolume(image, 0, (volume) => change(volume, model, 7));
    const { exitCode, output } = await fsck(image, 0);
    expect({ exitCode, output }).toMatchObject({ exitCode: 0 });
    expectSame(await listing(image, 0), model);
  });
});

const piConfiguration = `
define(BOOT_OFFSET, 2048)
define(BOOT_COUNT, 77260)
file-resource bootcode.bin { host-path = "bootcode.bin" }
file-resource kernel { host-path = "\${KERNEL}" }
file-resource config.txt { contents = "kernel=kernel-a.img\\n" }
mbr mbr {
  partition 0 { block-offset = \${BOOT_OFFSET} block-count = \${BOOT_COUNT} type = 0x0c boot = true }
  partition 1 { block-offset = 80000 block-count = 4096 type = 0x83 }
}
task complete {
  on-init {
    mbr_write(mbr)
    fat_mkfs(\${BOOT_OFFSET}, \${BOOT_COUNT})
    fat_setlabel(\${BOOT_OFFSET}, "BOOT-PI")
    fat_mkdir(\${BOOT_OFFSET}, "overlays")
  }
  on-resource bootcode.bin { fat_write(\${BOOT_OFFSET}) }
  on-resource kernel { fat_write(\${BOOT_OFFSET}, "kernel-a.img") }
  on-resource config.txt { fat_write(\${BOOT_OFFSET}) }
}
task upgrade {
  require-partition-offset(0, \${BOOT_OFFSET})
  require-fat-file-exists(\${BOOT_OFFSET}, "overlays/Disable BT.dtbo")
  require-fat-file-match(\${BOOT_OFFSET}, "cmdline.txt", "console=tty1")
  on-resource kernel { fat_write(\${BOOT_OFFSET}, "kernel-b.img") }
  on-finish {
    fat_cp(\${BOOT_OFFSET}, "config.txt", "config.old")
    fat_mv!(\${BOOT_OFFSET}, "next.txt", "config.txt")
    fat_rm(\${BOOT_OFFSET}, "kernel-a.img")
    fat_attrib(\${BOOT_OFFSET}, "config.old", "RH")
  }
}
`;

describe.skipIf(!hasAll)('the image of a Raspberry Pi', () => {
  it('is listed and extended by mtools, and then written again by us', async () => {
    const privateKeyPath = join(scratch.path, 'alpha.priv');
    await cp(join(vectors, 'keys', 'alpha.priv'), privateKeyPath);
    await chmod(privateKeyPath, 0o600);
    const publicKeys = [await readPublicKey(join(vectors, 'keys', 'alpha.pub'))];
    const configPath = join(scratch.path, 'pi.conf');
    await writeFile(configPath, piConfiguration);
    await writeFile(join(scratch.path, 'bootcode.bin'), content(1, 52_480));
    const image = newPath('img');
    const offset = 2048 * 512;
    const apply = async (task: string, kernel: Buffer): Promise<void> => {
      await writeFile(join(scratch.path, 'kernel.img'), kernel);
      const path = newPath('fw');
      const variables = { KERNEL: 'kernel.img' };
      await buildBundle({ configPath, outputPath: path, privateKeyPath, compressionLevel: 1, variables });
      await applyBundle({ path, destinationPath: image, task, publicKeys, engine: 'builtin' });
    };
    const sha256 = (bytes: Uint8Array | null | undefined): string =>
      createHash('sha256').update(bytes ?? '').digest('hex'); // prettier-ignore
    const first = content(2, 5_000_123);
    await apply('complete', first);
    const made = await listing(image, offset);
    expect([...made.keys()].sort()).toEqual(['/bootcode.bin', '/config.txt', '/kernel-a.img', '/overlays']);
    expect(sha256(made.get('/kernel-a.img'))).toBe(sha256(first));
    const { output } = await fsck(image, offset);
    expect(output).toContain("There is no label in boot sector, but there is volume label 'BOOT-PI'");
    expect(output).toContain('5 files'); // the label is one to fsck.vfat
    const { stdout } = await mtools('minfo', image, offset, '::');
    expect(Buffer.from(stdout).toString()).toMatch(/disk type="FAT32 {3}"/);

    const file = newPath('bin');
    const put = async (bytes: Buffer | string, path: string): Promise<void> => {
      await writeFile(file, bytes);
      await mtools('mcopy', image, offset, file, `::${path}`);
    };
    await expect(apply('upgrade', content(3, 100))).rejects.toMatchObject({ code: 'firmware-no-task' });
    await put(content(4, 700), 'overlays/Disable BT.dtbo');
    await put(`${'x'.repeat(5000)} console=tty1`, 'cmdline.txt');
    await put('kernel=kernel-b.img\n', 'next.txt');
    await mtools('mdel', image, offset, '::bootcode.bin');

    const second = content(5, 4_900_000);
    await apply('upgrade', second);
    const changed = await listing(image, offset);
    expect([...changed.keys()].sort()).toEqual(['/cmdline.txt', '/config.old', '/config.txt', '/kernel-b.img', '/overlays', '/overlays/Disable BT.dtbo']); // prettier-ignore
    expect(sha256(changed.get('/kernel-b.img'))).toBe(sha256(second));
    expect(sha256(changed.get('/overlays/Disable BT.dtbo'))).toBe(sha256(content(4, 700)));
    expect(changed.get('/config.old')!.toString()).toBe('kernel=kernel-a.img\n');
    expect(changed.get('/config.txt')!.toString()).toBe('kernel=kernel-b.img\n');
    expect((await fsck(image, offset)).output).toContain('7 files');
    const attributes = await mtools('mattrib', image, offset, '::config.old');
    expect(Buffer.from(attributes.stdout).toString()).toMatch(/A +HR/);
    expect(readFatTree(await readFile(image), offset).label).toBe('BOOT-PI');
  });
});
