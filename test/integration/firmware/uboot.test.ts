import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clearUbootEnvironment } from '../../../src/firmware/apply/uboot-environment.ts';
import { readUbootEnvironment, writeUbootEnvironment, type UbootLayout } from '../../../src/firmware/index.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const hasTool = await execa('fw_printenv', ['--version'], { reject: false }).then(
  ({ failed, exitCode }) => !failed || exitCode !== undefined,
);
const layouts: [string, UbootLayout][] = [
  ['plain', { blockOffset: 64, blockCount: 16 }],
  ['redundant', { blockOffset: 64, blockCount: 16, blockOffsetRedund: 128 }],
];

let scratch: Awaited<ReturnType<typeof temporaryDirectory>>;
beforeAll(async () => {
  scratch = await temporaryDirectory();
});
afterAll(() => scratch[Symbol.asyncDispose]());

async function emptyDisk(layout: UbootLayout): Promise<string> {
  const path = join(scratch.path, 'disk.img');
  const image = Buffer.alloc(256 * 512);
  await clearUbootEnvironment(
    { read: async () => image, write: async (offset, bytes) => void bytes.copy(image, offset) },
    layout,
  );
  await writeFile(path, image);
  return path;
}

/** As Debian's libubootenv-tool reads and writes it. */
async function fw(
  tool: 'fw_printenv' | 'fw_setenv',
  path: string,
  layout: UbootLayout,
  args: string[],
): Promise<string> {
  const size = `0x${(layout.blockCount * 512).toString(16)}`;
  const offsets = [layout.blockOffset, ...(layout.blockOffsetRedund === undefined ? [] : [layout.blockOffsetRedund])];
  const config = join(scratch.path, 'fw_env.config');
  await writeFile(config, offsets.map((block) => `${path} 0x${(block * 512).toString(16)} ${size}\n`).join(''));
  const { stdout } = await execa(tool, ['-c', config, ...args], { cwd: scratch.path });
  return stdout;
}

describe.each(layouts)('a %s environment on a disk', (_name, layout) => {
  it('is changed, removed from and read back', async () => {
    const path = await emptyDisk(layout);
    await writeUbootEnvironment(path, layout, { active: 'a', gone: 'x', text: 'Brücke, a=b' });
    await writeUbootEnvironment(path, layout, { active: 'b', gone: null, empty: '' });
    expect(Object.fromEntries(await readUbootEnvironment(path, layout))).toEqual({
      active: 'b',
      empty: '',
      text: 'Brücke, a=b',
    });
  });

  it('can be read and written through a handle that stays open', async () => {
    const handle = await open(await emptyDisk(layout), 'r+');
    await writeUbootEnvironment(handle, layout, { a: '1' });
    expect((await readUbootEnvironment(handle, layout)).get('a')).toBe('1');
    await handle.close();
  });

  it('is not written when nothing changes', async () => {
    const path = await emptyDisk(layout);
    await writeUbootEnvironment(path, layout, { a: '1' });
    const before = await readFile(path);
    await writeUbootEnvironment(path, layout, { a: '1', b: null });
    expect((await readFile(path)).equals(before)).toBe(true);
  });

  it.skipIf(!hasTool)('says to fw_printenv what it says to us, and takes what fw_setenv writes', async () => {
    const path = await emptyDisk(layout);
    for (let turn = 0; turn < 3; turn++) {
      await writeUbootEnvironment(path, layout, { active: `slot ${turn}`, count: String(turn) });
      const printed = (await fw('fw_printenv', path, layout, [])).split('\n').sort();
      expect(printed).toEqual([`active=slot ${turn}`, ...(turn > 0 ? [`by=tool ${turn - 1}`] : []), `count=${turn}`]);
      await fw('fw_setenv', path, layout, ['by', `tool ${turn}`]);
      expect((await readUbootEnvironment(path, layout)).get('by')).toBe(`tool ${turn}`);
    }
  });

  it('refuses bad names, values and layouts', async () => {
    const path = await emptyDisk(layout);
    for (const changes of [{ 'a=b': '1' }, { '': '1' }, { a: 'x\0y' }]) {
      await expect(writeUbootEnvironment(path, layout, changes)).rejects.toMatchObject({
        code: 'uboot-variable-invalid',
      });
    }
    await expect(readUbootEnvironment(path, { ...layout, blockCount: 0 })).rejects.toMatchObject({
      code: 'uboot-layout-invalid',
    });
    await expect(readUbootEnvironment(path, { blockOffset: 3, blockCount: 16 })).rejects.toMatchObject({
      code: 'uboot-environment-invalid',
    });
  });
});
