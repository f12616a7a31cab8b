import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Disk } from '../../../src/firmware/apply/disk.ts';
import { byteOf, shortNameByte, unicodeOf } from '../../../src/firmware/apply/fat/code-page.ts';
import { attribute } from '../../../src/firmware/apply/fat/entry.ts';
import { FatFault, type FatFaultKind } from '../../../src/firmware/apply/fat/fat-fault.ts';
import { layoutVolume } from '../../../src/firmware/apply/fat/format.ts';
import { numberedShort, parseName, pathParts } from '../../../src/firmware/apply/fat/name.ts';
import type { FatVolume } from '../../../src/firmware/apply/fat/volume.ts';
import { FatVolumes } from '../../../src/firmware/apply/fat/volume-set.ts';
import { fillHoles } from '../../../src/firmware/apply/filled-hole.ts';
import { SegmentCache } from '../../../src/firmware/apply/segment-cache.ts';
import { FatModel } from '../../support/fat-model.ts';
import { readFatTree } from '../../support/fat-reader.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

let scratch: Awaited<ReturnType<typeof temporaryDirectory>>;
let count = 0;
beforeAll(async () => {
  scratch = await temporaryDirectory();
});
afterAll(() => scratch[Symbol.asyncDispose]());

const block = 63;

/** A disk of old bytes with an empty file system on it, and the cache before it. */
async function disk(sectors: number, cacheMebibytes = 8) {
  const path = join(scratch.path, `${++count}.img`);
  await writeFile(path, Buffer.alloc((block + Math.min(sectors, 10_000)) * 512, 0xa5));
  await truncate(path, (block + sectors) * 512);
  const medium = await Disk.open(path);
  const cache = new SegmentCache(medium, cacheMebibytes);
  const volumes = new FatVolumes(cache);
  await volumes.at(block).format(sectors);
  return {
    cache,
    volumes,
    get volume(): FatVolume {
      return volumes.at(block);
    },
    async image(): Promise<Buffer> {
      await cache.flush();
      return readFile(path);
    },
    [Symbol.asyncDispose]: () => medium.close(),
  };
}

async function write(volume: FatVolume, path: string, content: Buffer, chunkBytes = 5000): Promise<void> {
  const writer = await volume.write(path);
  for (let at = 0; at < content.length; at += chunkBytes) {
    const chunk = content.subarray(at, at + chunkBytes);
    expect(await writer.append(chunk)).toBe(chunk.length);
  }
  expect(await writer.finish()).toBe(true);
}

async function faultOf(run: Promise<unknown>): Promise<FatFaultKind | undefined> {
  try {
    await run;
    return undefined;
  } catch (error) {
    if (error instanceof FatFault) return error.kind;
    throw error;
  }
}

const bytes = (seed: number, length: number): Buffer =>
  Buffer.from(Uint8Array.from({ length }, (_, at) => (seed * 31 + at * 7 + (at >> 8)) & 0xff));

describe('names', () => {
  it.each([
    // name, short name, case flags (8 base, 16 extension), long entries, lossy
    ['README.TXT', 'README  TXT', 0, false, false],
    ['readme.txt', 'README  TXT', 24, false, false],
    ['README.txt', 'README  TXT', 16, false, false],
    ['readme', 'README     ', 8, false, false],
    ['Readme.txt', 'README  TXT', 0, true, false],
    ['config-1.txt', 'CONFIG-1TXT', 24, false, false],
    ['LongFileName Number One.config', 'LONGFILECON', 0, true, true],
    ['.hidden', '        HID', 0, true, true],
    ['a.tar.gz', 'ATAR    GZ ', 0, true, true],
    ['a+b.txt', 'A_B     TXT', 0, true, true],
    [' lead', 'LEAD       ', 0, true, true],
    ['trail. .', 'TRAIL      ', 8, false, false],
    ['\x82t\x82', 'ETE        ', 0, true, false], // été in code page 850
    ['\xa4', '\xa5          ', 0, true, false], // ñ keeps its tilde
  ])('%j', (name, short, caseFlags, needsLong, isLossy) => {
    const parsed = parseName(name);
    expect({ ...parsed, short: parsed.short.toString('latin1') }).toMatchObject({
      short,
      caseFlags,
      needsLong,
      isLossy,
    });
  });

  it.each(['a*b', 'c:d', '<', '>', '|', '"', '?', '\x7f', '', '.', '..', ' ', 'x'.repeat(256), 'a\tb'])(
    'refuses %j',
    (name) => {
      expect(() => parseName(name)).toThrow('The path name format is invalid');
    },
  );

  it('numbers short names that lost something, from the sixth on by a hash', () => {
    const name = parseName('Long file name.text');
    const tries = [1, 2, 5, 6, 7, 16].map((attempt) => numberedShort(name, attempt).toString('latin1'));
    expect(tries.slice(0, 3)).toEqual(['LONGFI~1TEX', 'LONGFI~2TEX', 'LONGFI~5TEX']);
    for (const short of tries.slice(3)) expect(short).toMatch(/^L[ONGF]*~[0-9A-F]{1,4} *TEX$/);
    expect(new Set(tries).size).toBe(tries.length);
    expect(numberedShort(parseName('.x'), 1).toString('latin1')).toBe('~1      X  ');
  });

  it('splits paths at both slashes', () => {
    expect(pathParts('/a//b\\c/')).toEqual(['a', 'b', 'c']);
  });

  it('has a code page that goes there and back', () => {
    for (let byte = 0; byte < 256; byte++) expect(byteOf(unicodeOf(byte))).toBe(byte);
    expect([0x80, 0x81, 0x9b, 0xd5, 0xe1].map(shortNameByte)).toEqual([0x43, 0x55, 0x4f, 0x49, 0xe1]);
  });
});

describe('sizes', () => {
  it.each([
    [128, 12, 93],
    [2000, 12, 1955],
    [8000, 16, 7903],
    [77_238, 32, 75_998],
  ])('%i sectors: FAT%i with %i clusters', (sectors, type, clusters) => {
    expect(layoutVolume(sectors)).toMatchObject({ type, clusters });
  });

  it.each([0, 1, 127, 4_100, 66_200])('%i sectors give none', (sectors) => {
    expect(() => layoutVolume(sectors)).toThrow('f_mkfs() aborted due to a parameter error');
  });
});

const names = ['A.TXT', 'a.txt', 'dir', 'Dir', 'sub', 'Long file name.text', 'LONG FILE NAME.TEXT', 'Long file name two.text', '.hidden', 'x.tar.gz', 'Mixed.Txt', 'plain', 'file-number-10', 'file-number-11', 'file-number-12']; // prettier-ignore
const path = fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 3 }).map((parts) => `/${parts.join('/')}`);
const operation = fc.oneof(
  fc.record({ kind: fc.constant('mkdir' as const), path }),
  fc.record({ kind: fc.constant('touch' as const), path }),
  fc.record({ kind: fc.constant('write' as const), path, seed: fc.nat(255), length: fc.oneof(fc.nat(3000), fc.constantFrom(0, 512, 1024, 20_000)) }), // prettier-ignore
  fc.record({ kind: fc.constant('remove' as const), path }),
  fc.record({ kind: fc.constant('move' as const), path, to: path }),
  fc.record({ kind: fc.constant('copy' as const), path, to: path }),
  fc.record({ kind: fc.constant('attributes' as const), path, letters: fc.constantFrom('', 'R', 'HS') }),
  fc.record({ kind: fc.constant('remount' as const) }),
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

async function copy(volume: FatVolume, from: string, to: string): Promise<void> {
  const source = await volume.open(from);
  try {
    if (await volume.isSame(from, to).catch(() => false)) return;
    const writer = await volume.write(to);
    for await (const chunk of source.chunks()) await writer.append(chunk);
    await writer.finish();
  } finally {
    source.close();
  }
}

const bits = (letters: string): number =>
  (letters.includes('R') ? attribute.readOnly : 0) |
  (letters.includes('H') ? attribute.hidden : 0) |
  (letters.includes('S') ? attribute.system : 0);

async function act(
  on: Awaited<ReturnType<typeof disk>>,
  model: FatModel,
  step: Operation,
): Promise<[FatFaultKind | undefined, FatFaultKind | undefined]> {
  const { volume } = on;
  switch (step.kind) {
    case 'mkdir':
      return [model.mkdir(step.path), await faultOf(volume.mkdir(step.path))];
    case 'touch':
      return [model.touch(step.path), await faultOf(volume.touch(step.path))];
    case 'write': {
      const content = bytes(step.seed, step.length);
      return [model.write(step.path, content), await faultOf(write(volume, step.path, content, 700))];
    }
    case 'remove':
      return [model.remove(step.path), await faultOf(volume.remove(step.path))];
    case 'move':
      return [model.move(step.path, step.to), await faultOf(volume.move(step.path, step.to))];
    case 'copy':
      return [model.copy(step.path, step.to), await faultOf(copy(volume, step.path, step.to))];
    case 'attributes':
      return [
        model.setAttributes(step.path, step.letters),
        await faultOf(volume.setAttributes(step.path, bits(step.letters))),
      ];
    case 'remount':
      await on.cache.flush();
      on.volumes.forget();
      return [undefined, undefined];
  }
}

describe.each([
  [12, 1_000, 120],
  [16, 5_000, 60],
  [32, 66_700, 12],
])('FAT%i', (type, sectors, numRuns) => {
  it('does what a Map does, whatever the order of operations', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 60, size: 'max' }), async (steps) => {
        await using on = await disk(sectors);
        const model = new FatModel();
        for (const step of steps) {
          const [expected, seen] = await act(on, model, step);
          expect({ step, fault: seen }).toEqual({ step, fault: expected });
        }
        const tree = readFatTree(await on.image(), block * 512);
        expect(tree.type).toBe(type);
        if (tree.saidFree !== undefined) expect(tree.saidFree).toBe(tree.freeClusters);
        expect([...tree.files.keys()].sort()).toEqual([...model.files.values()].map((file) => file.path).sort());
        for (const file of model.files.values()) {
          const found = tree.files.get(file.path)!;
          expect(found.isDirectory).toBe(file.isDirectory);
          expect(found.content.equals(file.content)).toBe(true);
          expect(found.attributes & 0x07).toBe(bits(file.attributes));
        }
      }),
      { numRuns },
    );
  });
});

describe('a file system', () => {
  it('says how much found room when it is full, and takes files again when there is room', async () => {
    await using on = await disk(200);
    const { volume } = on;
    const writer = await volume.write('big');
    const free = layoutVolume(200).clusters * 512;
    expect(await writer.append(Buffer.alloc(free - 700, 1))).toBe(free - 700);
    expect(await writer.append(Buffer.alloc(2000, 2))).toBeLessThan(2000);
    expect(await writer.finish()).toBe(true);
    expect(await faultOf(volume.mkdir('dir'))).toBe('denied');
    await volume.remove('big');
    await write(volume, 'small', bytes(1, 10_000));
    const { files } = readFatTree(await on.image(), block * 512);
    expect([...files.keys()]).toEqual(['/small']);
    expect(files.get('/small')!.content.equals(bytes(1, 10_000))).toBe(true);
  });

  it('has a root of 512 entries, and directories that grow', async () => {
    await using on = await disk(4_000);
    const { volume } = on;
    await volume.mkdir('sub');
    for (let file = 0; file < 511; file++) await volume.touch(`F${file}`);
    expect(await faultOf(volume.touch('ONE-MORE'))).toBe('denied');
    for (let file = 0; file < 600; file++) await volume.touch(`sub/F${file}`);
    expect(readFatTree(await on.image(), block * 512).files.size).toBe(512 + 600);
  });

  it('gives many alike names different short ones', async () => {
    await using on = await disk(4_000);
    for (let file = 0; file < 60; file++) await on.volume.touch(`a rather long name ${file}.config`);
    const { files } = readFatTree(await on.image(), block * 512);
    expect(new Set([...files.values()].map(({ shortName }) => shortName)).size).toBe(60);
  });

  it('finds files by their short names too', async () => {
    await using on = await disk(1_000);
    await write(on.volume, 'A long name.text', bytes(3, 100));
    const file = await on.volume.open('alongn~1.tex');
    expect(await file.read(0, 1000)).toEqual(bytes(3, 100));
    expect(await file.read(90, 1000)).toEqual(bytes(3, 100).subarray(90));
    expect(await file.read(100, 1)).toHaveLength(0);
    file.close();
    expect(await faultOf(on.volume.touch('ALONGN~1.TEX'))).toBeUndefined();
    expect(readFatTree(await on.image(), block * 512).files.size).toBe(1);
  });

  it('keeps a file that is being read', async () => {
    await using on = await disk(1_000);
    await write(on.volume, 'kernel', bytes(1, 5000));
    const file = await on.volume.open('kernel');
    expect(await faultOf(on.volume.write('KERNEL'))).toBe('locked');
    expect(await faultOf(on.volume.remove('kernel'))).toBe('locked');
    file.close();
    expect(await faultOf(on.volume.remove('kernel'))).toBeUndefined();
  });

  it.each([
    ['boot', 'BOOT'],
    ['a b-1', 'A B-1'],
    ['\x82', '\x90'],
    ['', undefined],
  ])('takes the label %j', async (label, expected) => {
    await using on = await disk(1_000);
    await on.volume.setLabel('first');
    await on.volume.setLabel(label);
    expect(readFatTree(await on.image(), block * 512).label).toBe(expected);
  });

  it.each(['twelve chars', 'a.b', 'a/b', 'a*', 'x\x01'])('refuses the label %j', async (label) => {
    await using on = await disk(1_000);
    expect(await faultOf(on.volume.setLabel(label))).toBe('invalid-name');
  });

  it('is told from what is none', async () => {
    await using on = await disk(1_000);
    expect(await faultOf(on.volumes.at(0).touch('x'))).toBe('no-volume');
    const damages: [number, number][] = [[0, 0], [12, 4], [13, 0], [13, 3], [14, 0], [16, 0], [16, 3], [17, 1], [22, 0], [22, 1]]; // prettier-ignore
    for (const [at, value] of damages) {
      const boot = await on.cache.read(block * 512, 512);
      const whole = Buffer.from(boot);
      boot[at] = value;
      await on.cache.write(block * 512, boot);
      expect({ at, value, fault: await faultOf(on.volume.touch('x')) }).toEqual({ at, value, fault: 'no-volume' });
      await on.cache.write(block * 512, whole);
    }
    expect(await faultOf(on.volume.touch('x'))).toBeUndefined();
  });

  it('neither hangs nor reads elsewhere when chains are rings, short or out of range', async () => {
    await using on = await disk(2_000);
    await on.volume.mkdir('dir');
    await write(on.volume, 'file', bytes(1, 5000));
    const fat = (block + 1) * 512;
    const sound = await on.cache.read(fat, 512);
    // FAT12: entry 2 is the directory, 3 to 12 the file.
    for (const [cluster, value] of [
      [2, 2],
      [2, 0],
      [2, 1],
      [4, 0],
      [4, 1],
      [3, 1999],
    ] as const) {
      // prettier-ignore
      const damaged = Buffer.from(sound);
      const at = cluster + (cluster >> 1);
      const pair = damaged.readUInt16LE(at);
      damaged.writeUInt16LE(cluster & 1 ? (pair & 0x000f) | (value << 4) : (pair & 0xf000) | value, at);
      await on.cache.write(fat, damaged);
      const target = cluster === 2 ? on.volume.touch('dir/x') : on.volume.open('file');
      expect({ cluster, value, fault: await faultOf(target) }).toEqual({ cluster, value, fault: 'damaged' });
    }
  });

  it('is the same with a cache that holds hardly anything', async () => {
    const make = async (cacheMebibytes: number): Promise<Buffer> => {
      await using on = await disk(70_000, cacheMebibytes);
      const { volume } = on;
      for (let file = 0; file < 12; file++) await write(volume, `file ${file}`, bytes(file, 400_000), 65_000);
      await volume.remove('file 3');
      await write(volume, 'file 12', bytes(12, 900_000), 65_000);
      return await on.image();
    };
    const [small, large] = [await make(0), await make(64)];
    expect(small.equals(large)).toBe(true);
    expect(
      readFatTree(small, block * 512)
        .files.get('/file 12')!
        .content.equals(bytes(12, 900_000)),
    ).toBe(true);
  });
});

describe('holes', () => {
  it('become zeros wherever the data is cut', async () => {
    const runs = fc.array(fc.nat(300), { minLength: 1, maxLength: 7 });
    await fc.assert(
      fc.asyncProperty(runs, fc.integer({ min: 1, max: 200 }), async (map, chunkBytes) => {
        const dataBytes = map.reduce((sum, length, index) => (index % 2 === 0 ? sum + length : sum), 0);
        const data = Buffer.alloc(dataBytes, 7);
        const chunks = async function* () {
          for (let at = 0; at < data.length; at += chunkBytes) yield data.subarray(at, at + chunkBytes);
        };
        const seen: Buffer[] = [];
        for await (const chunk of fillHoles(map, chunks())) seen.push(Buffer.from(chunk));
        const expected = map.map((length, index) => Buffer.alloc(length, index % 2 === 0 ? 7 : 0));
        expect(Buffer.concat(seen).equals(Buffer.concat(expected))).toBe(true);
      }),
    );
  });
});
