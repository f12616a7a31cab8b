import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  clearUbootEnvironment,
  encodeUbootEnvironment,
  loadUbootEnvironment,
  storeUbootEnvironment,
  type BlockStore,
  type UbootLayout,
} from '../../../src/firmware/apply/uboot-environment.ts';

/** A disk of bytes. */
function memory(bytes = 64 * 1024): BlockStore & { bytes: Buffer } {
  const disk = Buffer.alloc(bytes);
  return {
    bytes: disk,
    read: async (offset, length) => Buffer.from(disk.subarray(offset, offset + length)),
    write: async (offset, data) => void data.copy(disk, offset),
  };
}

const plain: UbootLayout = { blockOffset: 1, blockCount: 2 };
const redundant: UbootLayout = { blockOffset: 1, blockCount: 2, blockOffsetRedund: 8 };

describe('the block of a U-Boot environment', () => {
  it('is a CRC, sorted pairs, a NUL and 0xff', () => {
    const block = encodeUbootEnvironment(new Map([['b', '2'], ['a', '1']]), 1); // prettier-ignore
    expect(block.subarray(4, 13).toString('latin1')).toBe('a=1\0b=2\0\0');
    expect(block.subarray(13).every((byte) => byte === 0xff)).toBe(true);
    expect(block.readUInt32LE(0).toString(16)).toBe('4bf73e17');
  });

  it('has a flags byte outside the CRC when there are two', () => {
    const one = encodeUbootEnvironment(new Map(), 1, 1);
    const two = encodeUbootEnvironment(new Map(), 1, 2);
    expect([one[4], two[4]]).toEqual([1, 2]);
    expect(one.readUInt32LE(0)).toBe(two.readUInt32LE(0));
  });

  it('refuses what does not fit', () => {
    expect(() => encodeUbootEnvironment(new Map([['a', 'x'.repeat(510)]]), 1)).toThrow('not enough room');
  });

  it('gives back what was written, in both layouts, through any number of writes', async () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9_.]{0,8}$/);
    const value = fc.stringMatching(/^[\x20-\x7e]{0,10}$/);
    const states = fc.array(fc.dictionary(name, value, { maxKeys: 6 }), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(plain, redundant), states, async (layout, sequence) => {
        const disk = memory();
        await clearUbootEnvironment(disk, layout);
        for (const state of sequence) {
          const before = await loadUbootEnvironment(disk, layout);
          await storeUbootEnvironment(disk, layout, before, new Map(Object.entries(state)));
          const after = await loadUbootEnvironment(disk, layout);
          expect(Object.fromEntries(after.variables)).toEqual({ ...state });
          if (layout === redundant) expect(after.copy).not.toBe(before.copy);
        }
      }),
    );
  });
});

describe('two copies', () => {
  it.each([
    [0, 1, 1],
    [1, 0, 0],
    [255, 0, 1],
    [0, 255, 0],
    [0, 127, 1],
    [0, 128, 0],
    [5, 5, 0],
  ])('flags %d and %d: copy %d holds', async (first, second, holds) => {
    const disk = memory();
    await disk.write(512, encodeUbootEnvironment(new Map([['copy', '0']]), 2, first));
    await disk.write(8 * 512, encodeUbootEnvironment(new Map([['copy', '1']]), 2, second));
    expect((await loadUbootEnvironment(disk, redundant)).variables.get('copy')).toBe(String(holds));
  });

  it('the older one stands in for a damaged newer one', async () => {
    const disk = memory();
    await disk.write(512, encodeUbootEnvironment(new Map([['copy', '0']]), 2, 1));
    await disk.write(8 * 512, encodeUbootEnvironment(new Map([['copy', '1']]), 2, 2));
    disk.bytes[8 * 512 + 7]! ^= 1;
    const loaded = await loadUbootEnvironment(disk, redundant);
    expect(loaded).toMatchObject({ copy: 0, flags: 1 });
    await storeUbootEnvironment(disk, redundant, loaded, new Map([['copy', 'new']]));
    expect((await loadUbootEnvironment(disk, redundant)).variables.get('copy')).toBe('new');
  });

  it('a blank disk is an error with both checksums', async () => {
    await expect(loadUbootEnvironment(memory(), plain)).rejects.toMatchObject({
      code: 'uboot-environment-invalid',
      detail: { expected: '0x00000000' },
    });
  });
});
