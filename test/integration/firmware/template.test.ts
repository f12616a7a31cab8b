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
const sgdisk = hasTools('the GPT of a starter', 'sgdisk');
const fatTools = hasTools('FAT of the starters', 'mdir', 'fsck.vfat');
const fwPrintenv = hasTools('the U-Boot environment of a starter', 'fw_printenv');

/** FAT file systems that `complete` makes: first block, size in blocks, and some of what is on it. */
const fats: Record<FirmwareBoard, { firstBlock: number; blockCount: number; files: string[] }[]> = {
  'uboot-ab': [],
  'raspberry-pi': [
    { firstBlock: 2048, blockCount: 32_768, files: ['::/autoboot.txt'] },
    { firstBlock: 34_816, blockCount: 131_072, files: ['::/kernel8.img', '::/start4.elf'] },
  ],
  'x86-gpt': [{ firstBlock: 2048, blockCount: 131_072, files: ['::/EFI/BOOT/BOOTX64.EFI'] }],
};

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
    const destinationSizeBytes = 2 * 1024 ** 3; // where a GPT's second copy stands
    const apply = async (task: string) =>
      (await applyBundle({ path, destinationPath, destinationSizeBytes, task, publicKeys, engine: 'builtin' }))
        .taskName;
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
    if (sfdisk) expect((await tool('sfdisk', '--verify', destinationPath)).exitCode).toBe(0);
    if (sgdisk && board === 'x86-gpt') {
      expect((await tool('sgdisk', '--verify', destinationPath)).stdout).toContain('No problems found.');
    }
    for (const fat of fatTools ? fats[board] : []) await checkFat(destinationPath, fat);
    if (fwPrintenv && board === 'uboot-ab') {
      const config = join(dir, 'fw_env.config');
      const copies = [8192, 8448].map((block) => `${destinationPath} 0x${(block * 512).toString(16)} 0x4000\n`);
      await writeFile(config, copies.join(''));
      expect((await tool('fw_printenv', '-c', config, 'active_slot')).stdout).toBe('active_slot=b');
    }
  });
});

const tool = (program: string, ...args: string[]) =>
  execa(program, args, { env: { PATH: toolPath, MTOOLS_SKIP_CHECK: '1' }, reject: false });

/** Sound to fsck.vfat (which minds only that the label stands in the root alone), and listed by mtools. */
async function checkFat(image: string, { firstBlock, blockCount, files }: (typeof fats)[FirmwareBoard][number]) {
  const alone = `${image}.fat`;
  await writeFile(alone, await blocksOf(image, { firstBlock, blockCount }));
  const { stdout } = await tool('fsck.vfat', '-n', alone);
  const told = stdout.split('\n').filter((line) => line !== '' && !/label|fsck\.fat|NO NAME|Auto-|Leaving/i.test(line));
  expect(told).toEqual([expect.stringMatching(/: \d+ files, \d+\/\d+ clusters$/)]);
  const listed = (await tool('mdir', '-i', alone, '-b', '-/', '::')).stdout.split('\n');
  expect(listed).toEqual(expect.arrayContaining(files));
}

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
