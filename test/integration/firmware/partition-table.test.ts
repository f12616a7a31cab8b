import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeMbr, mbrTable } from '../../../src/firmware/apply/mbr.ts';
import { parseMetaConf } from '../../../src/firmware/config/meta-conf.ts';
import { readVector } from '../../support/fwup-vector.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const env = { PATH: `${process.env['PATH']}:/usr/sbin:/sbin` };
const hasTool = await execa('sfdisk', ['--version'], { env, reject: false }).then(({ exitCode }) => exitCode === 0);

let scratch: Awaited<ReturnType<typeof temporaryDirectory>>;
beforeAll(async () => {
  scratch = await temporaryDirectory();
});
afterAll(() => scratch[Symbol.asyncDispose]());

describe('partition tables as sfdisk reads them', () => {
  it.skipIf(!hasTool)('primary, extended and logical partitions', async () => {
    const { root } = parseMetaConf(readVector('mbr', 'mbr.fw.meta.conf'), { uuid: '', nickname: '', creationDate: '' });
    const image = Buffer.alloc(1000 * 512);
    for (const { block, bytes } of encodeMbr(mbrTable(root.find('mbr', 'ext')!), 1000)) bytes.copy(image, block * 512);
    const path = join(scratch.path, 'disk.img');
    await writeFile(path, image);
    const { stdout } = await execa('sfdisk', ['--json', path], { env });
    const table = JSON.parse(stdout).partitiontable as {
      partitions: { start: number; size: number; type: string; bootable?: boolean }[];
    };
    expect(table.partitions.map(({ start, size, type, bootable = false }) => [start, size, type, bootable])).toEqual([
      [64, 16, '6', true],
      [80, 16, 'c', false],
      [96, 16, 'c', false],
      [112, 888, 'f', false],
      [128, 16, '83', false],
      [144, 16, '83', false],
      [160, 840, '83', false],
    ]);
  });
});
