import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dataObstacle } from '../../../src/agent/updater/data-guard.ts';
import { readPublicKey, readTaskTouches, writeKeyPair, type BlockExtents } from '../../../src/firmware/index.ts';
import { buildSlotBundle } from '../../support/file-slot-device.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

let dir: Awaited<ReturnType<typeof temporaryDirectory>>;
let key: { publicKeyPath: string; privateKeyPath: string };

beforeAll(async () => {
  dir = await temporaryDirectory();
  key = await writeKeyPair(join(dir.path, 'key'));
});
afterAll(() => dir[Symbol.asyncDispose]());

/** The data partition of the device: blocks 512 to 1023. */
const data: BlockExtents = { kind: 'extents', extents: [{ firstBlock: 512, blockCount: 512 }] };

async function judge(more: string, place: BlockExtents = data, tables = '') {
  const { path } = await buildSlotBundle(dir.path, '2.0.0', { ...key, more, tables });
  const publicKeys = [await readPublicKey(key.publicKeyPath)];
  const option = { path, publicKeys, task: 'upgrade', destination: '/dev/mmcblk0', state: '/data' };
  return dataObstacle(option, { readTaskTouches, blockExtents: async () => place });
}

const table = (offset: number, more = '') =>
  `mbr table { partition 0 { block-offset = ${offset} block-count = 512 type = 0x83 ${more} } }`;

describe('a bundle that would write where the agent keeps its state', () => {
  it.each([
    ['in one block', 'on-init { raw_memset(600, 1, 0) }'],
    ['from before it', 'on-init { raw_memset(500, 13, 0) }'],
    ['by a file system', 'on-init { fat_mkfs(512, 512) }'],
    ['by a file on one', 'on-finish { fat_touch(512, "x") }'],
    ['by trimming', 'on-init { trim(0, 1024) }'],
  ])('is refused: %s', async (_what, more) => {
    expect(await judge(more)).toMatchObject({ code: 'data-partition-touched' });
  });

  it('is refused: with data that runs into it', async () => {
    const resource = `file-resource big { contents = "${'x'.repeat(513)}" }`;
    expect(await judge('on-resource big { raw_write(511) }', data, resource)).toMatchObject({
      code: 'data-partition-touched',
      message: expect.stringContaining('raw_write(511) (block 512 of /dev/mmcblk0)'),
    });
  });

  it.each([
    ['with a table that has it elsewhere', table(513)],
    ['with a table that has it shorter', table(512).replace('block-count = 512', 'block-count = 511')],
  ])('is refused: %s', async (_what, tables) => {
    expect(await judge('on-init { mbr_write(table) }', data, tables)).toMatchObject({ code: 'data-partition-touched' });
  });

  it.each([
    ['up to it', 'on-init { raw_memset(500, 12, 0) }', data],
    ['behind it', 'on-init { raw_memset(1024, 9, 0) }', data],
    ['anywhere, where the state lies on another disk', 'on-init { raw_memset(600, 1, 0) }', { kind: 'elsewhere' }],
    ['anywhere, where nobody can tell', 'on-init { raw_memset(600, 1, 0) }', { kind: 'unknown' }],
  ] as [string, string, BlockExtents][])('is taken when it writes %s', async (_what, more, place) => {
    expect(await judge(more, place)).toBeUndefined();
  });

  it.each([
    ['the same', table(512)],
    ['one that grows', table(512, 'expand = true').replace('block-count = 512', 'block-count = 100')],
  ])('is taken with a table that has it in its place: %s', async (_what, tables) => {
    expect(await judge('on-init { mbr_write(table) }', data, tables)).toBeUndefined();
  });
});
