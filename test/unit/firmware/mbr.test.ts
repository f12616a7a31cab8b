import { describe, expect, it } from 'vitest';
import { encodeMbr, mbrTable } from '../../../src/firmware/apply/mbr.ts';
import { parseMetaConf } from '../../../src/firmware/config/meta-conf.ts';
import { readVector } from '../../support/fwup-vector.ts';

const identity = { uuid: '', nickname: '', creationDate: '' };
const { root } = parseMetaConf(readVector('mbr', 'mbr.fw.meta.conf'), identity);

describe('partition tables', () => {
  it.each([
    ['boot code, CHS limits', 'plain', 0, 'image.1.gz'],
    ['expand to the largest end', 'grow', 0, 'image.2.gz'],
    ['logical partitions', 'ext', 0, 'image.3.gz'],
    ['OSIP', 'osip', 0, 'image.4.gz'],
    ['expand to the end of the disk', 'grow', 1000, 'image.5.gz'],
    ['logical partitions that expand', 'ext', 1000, 'image.6.gz'],
  ])('%s: the bytes of fwup', (_what, title, diskBlocks, image) => {
    const expected = readVector('mbr', image);
    const actual = Buffer.alloc(expected.length);
    for (const { block, bytes } of encodeMbr(mbrTable(root.find('mbr', title)!), diskBlocks))
      bytes.copy(actual, block * 512);
    expect(actual.equals(expected)).toBe(true);
  });

  const table = (partitions: string) => {
    const { root: other } = parseMetaConf(Buffer.from(`mbr "m" {\n${partitions}\n}`), identity);
    return () => mbrTable(other.find('mbr', 'm')!);
  };

  it.each([
    ['overlap', 'partition "0" { block-offset=1 block-count=10 type=1 } partition "1" { block-offset=5 block-count=10 type=1 }', 'partitions 0 (blocks 1 to 11) and 1 (blocks 5 to 15) overlap'],
    ['no type', 'partition "0" { block-offset=1 block-count=10 }', "partition 0's type must be between 0 and 255"],
    ['no count', 'partition "0" { block-offset=1 type=1 }', "partition 0's block-count must be specified"],
    ['no offset', 'partition "0" { block-count=1 type=1 }', "partition 0's block-offset must be specified"],
    ['number 12', 'partition "12" { block-offset=1 block-count=1 type=1 }', 'partition must be numbered 0 through 11'],
    ['expand in the middle', 'partition "0" { block-offset=1 block-count=1 type=1 expand=true } partition "1" { block-offset=9 block-count=1 type=1 }', 'overlap'],
    ['logical without extended', 'partition "4" { block-offset=1 block-count=1 type=1 }', 'to use more than 4 partitions'],
    ['a hole in the logical ones', 'partition "3" { block-offset=1 type=15 } partition "5" { block-offset=9 block-count=1 type=1 }', 'logical partition 4 is missing'],
    ['data over the extended records', 'partition "3" { block-offset=1 type=15 } partition "4" { block-offset=1 block-count=1 type=1 }', 'overlap'],
  ])('refuses %s', (_what, text, message) => {
    expect(table(text)).toThrow(message);
  }); // prettier-ignore
});
