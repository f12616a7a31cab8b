/** The starters of `firmware init`: each passes lint, builds, makes a disk, and upgrades it from slot to slot. */
import { execa } from 'execa';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyBundle, buildBundle, lintFirmware, readPublicKey, writeKeyPair } from '../../../src/firmware/index.ts'; // prettier-ignore
import { boardStarter, firmwareBoards, type FirmwareBoard } from '../../../src/provision/firmware-template.ts';
import { hasTools, toolPath } from '../../support/system-tool.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const bootFiles = ['start4.elf', 'fixup4.dat', 'bcm2711-rpi-4-b.dtb', 'kernel8.img'].map((name) => `boot/${name}`);
/** What the person brings. */
const inputs: Record<FirmwareBoard, string[]> = {
  'uboot-ab': ['u-boot.bin', 'rootfs.squashfs'],
  'raspberry-pi': [...bootFiles, 'rootfs.squashfs'],
  'x86-gpt': ['BOOTX64.EFI', 'rootfs.squashfs'],
};
/** Where the switch lies, in blocks, and how many of them it takes. */
const switchPlace: Record<FirmwareBoard, { firstBlock: number; blockCount: number }> = {
  'uboot-ab': { firstBlock: 8192, blockCount: 8192 },
  'raspberry-pi': { firstBlock: 2048, blockCount: 32_768 },
  'x86-gpt': { firstBlock: 2048, blockCount: 131_072 },
};

let scratch: Awaited<ReturnType<typeof temporaryDirectory>>;
let publicKeys: Buffer[];
beforeAll(async () => {
  scratch = await temporaryDirectory();
  await writeKeyPair(join(scratch.path, 'key'));
  publicKeys = [await readPublicKey(join(scratch.path, 'key.pub'))];
});
afterAll(() => scratch[Symbol.asyncDispose]());

const sfdisk = hasTools('partition tables of the starters', 'sfdisk');

describe.each(firmwareBoards)('the starter for %s', (board) => {
  it('passes lint, builds, makes a disk and upgrades it twice, turning the switch last', async () => {
    const dir = join(scratch.path, board);
    for (const { path, text } of await boardStarter(board)) await put(join(dir, path), text);
    for (const path of inputs[board]) await put(join(dir, path), `${path} `.repeat(5000));
    const configPath = join(dir, 'fwup.conf');
    expect(await lintFirmware(configPath)).toEqual([]);

    const path = join(dir, 'firmware.fw');
    const privateKeyPath = join(scratch.path, 'key.priv');
    const built = await buildBundle({ configPath, outputPath: path, privateKeyPath, variables: { VERSION: '1.2.3' }, engine: 'builtin' }); // prettier-ignore
    expect([built.version, built.tasks.length]).toEqual(['1.2.3', 4]);
    expect(await lintFirmware(path)).toEqual([]);

    const destinationPath = join(dir, 'disk.img');
    const apply = async (task: string) =>
      (await applyBundle({ path, destinationPath, task, publicKeys, engine: 'builtin' })).taskName;
    expect(await apply('complete')).toBe('complete');
    const place = switchPlace[board];
    const states = [await blocksOf(destinationPath, place)];
    for (const expected of ['upgrade.b', 'upgrade.a', 'upgrade.b']) {
      expect(await apply('upgrade')).toBe(expected);
      states.push(await blocksOf(destinationPath, place));
    }
    // The switch in a file is turned by one sector: nothing else on its FAT changes.
    if (board !== 'uboot-ab') expect(changedBlocks(states[0]!, states[1]!)).toHaveLength(1);
    else expect(changedBlocks(states[0]!, states[1]!).every((block) => block < 32 || (block >= 256 && block < 288))).toBe(true); // prettier-ignore
    if (board !== 'uboot-ab') expect(states[3]!.equals(states[1]!)).toBe(true);
    if (sfdisk) {
      const { exitCode } = await execa('sfdisk', ['--verify', destinationPath], {
        env: { PATH: toolPath },
        reject: false,
      });
      expect(exitCode).toBe(0);
    }
  });
});

async function put(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

async function blocksOf(
  path: string,
  { firstBlock, blockCount }: { firstBlock: number; blockCount: number },
): Promise<Buffer> {
  // prettier-ignore
  const file = await open(path, 'r');
  try {
    const bytes = Buffer.alloc(blockCount * 512);
    await file.read(bytes, 0, bytes.length, firstBlock * 512);
    return bytes;
  } finally {
    await file.close();
  }
}

function changedBlocks(a: Buffer, b: Buffer): number[] {
  return Array.from({ length: a.length / 512 }, (_, block) => block).filter(
    (block) => !a.subarray(block * 512, block * 512 + 512).equals(b.subarray(block * 512, block * 512 + 512)),
  );
}
