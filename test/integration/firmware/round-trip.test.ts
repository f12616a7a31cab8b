import { chmod, cp, mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FlotillaError } from '../../../src/error.ts';
import { dataRanges } from '../../../src/firmware/archive/file-hole.ts';
import { deflateParallel } from '../../../src/firmware/archive/parallel-deflate.ts';
import { applyBundle, buildBundle, readPublicKey, signBundle, verifyBundle } from '../../../src/firmware/index.ts';
import { vectors } from '../../support/fwup-vector.ts';
import { readArchive, sha256 } from '../../support/golden-replay.ts';
import { imageOf, randomConfig, type RandomConfig } from '../../support/random-config.ts';
import { hasTools } from '../../support/system-tool.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

let scratch: Awaited<ReturnType<typeof temporaryDirectory>>;
let publicKeys: Buffer[];
let privateKeyPath: string;
let count = 0;

beforeAll(async () => {
  scratch = await temporaryDirectory();
  publicKeys = [await readPublicKey(join(vectors, 'keys', 'alpha.pub'))];
  privateKeyPath = join(scratch.path, 'alpha.priv');
  await cp(join(vectors, 'keys', 'alpha.priv'), privateKeyPath);
  await chmod(privateKeyPath, 0o600);
});
afterAll(() => scratch[Symbol.asyncDispose]());

async function build({ text, files }: RandomConfig): Promise<{ folder: string; path: string; uuid: string }> {
  const folder = join(scratch.path, String(++count));
  await mkdir(folder);
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, name), bytes);
  await writeFile(join(folder, 'fwup.conf'), text);
  const path = join(folder, 'bundle.fw');
  const option = { configPath: join(folder, 'fwup.conf'), privateKeyPath, sourceDateEpochSeconds: 1_700_000_000 };
  const { uuid } = await buildBundle({ ...option, outputPath: path });
  const again = join(folder, 'again.fw');
  await buildBundle({ ...option, outputPath: again });
  expect((await readFile(again)).equals(await readFile(path))).toBe(true); // reproducible to the byte
  return { folder, path, uuid };
}

describe('a random configuration', () => {
  it('comes back from its archive, and leaves the disk that its writes make', async () => {
    await fc.assert(
      fc.asyncProperty(randomConfig({ plain: true }), async (config) => {
        const { folder, path, uuid } = await build(config);
        const summary = await verifyBundle({ path, publicKeys });
        const texts = { 'meta-product': summary.product, 'meta-version': summary.version, 'meta-misc': summary.misc };
        for (const [option, text] of Object.entries(texts)) expect(text).toBe(config.metadata[option] ?? '');
        const members = new Map((await readArchive(path)).members);
        for (const { name, bytes } of config.resources) expect(members.get(`data/${name}`)).toBe(sha256(bytes));
        const resigned = join(folder, 'resigned.fw');
        expect((await signBundle({ inputPath: path, outputPath: resigned, privateKeyPath })).uuid).toBe(uuid);
        const destinationPath = join(folder, 'disk.img');
        await applyBundle({ path: resigned, destinationPath, task: 'complete', publicKeys });
        const image = await readFile(destinationPath).catch(() => Buffer.alloc(0)); // nothing to write: no file
        expect(image.equals(imageOf(config.writes!))).toBe(true);
      }),
      { numRuns: 25 },
    );
  });

  it('with one byte changed is refused before the disk changes, or means the same', async () => {
    await fc.assert(
      fc.asyncProperty(
        randomConfig({ plain: true }),
        fc.array(fc.record({ place: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), change: fc.integer({ min: 1, max: 255 }) }), { minLength: 5, maxLength: 5 }),
        async (config, changes) => {
          const { folder, path, uuid } = await build(config);
          const whole = await readFile(path);
          const tampered = join(folder, 'tampered.fw');
          for (const { place, change } of changes) {
            const bytes = Buffer.from(whole);
            bytes[Math.floor(place * bytes.length)]! ^= change;
            await writeFile(tampered, bytes);
            const verified = await verifyBundle({ path: tampered, publicKeys }).catch(refusal);
            if (typeof verified !== 'string') expect(verified.uuid).toBe(uuid);
            const destinationPath = join(folder, 'tampered.img');
            await rm(destinationPath, { force: true });
            const applied = await applyBundle({ path: tampered, destinationPath, task: 'complete', publicKeys }).catch(refusal); // prettier-ignore
            if (typeof applied === 'string') continue;
            const image = await readFile(destinationPath).catch(() => Buffer.alloc(0));
            expect(image.equals(imageOf(config.writes!))).toBe(true);
          }
        },
      ), // prettier-ignore
      { numRuns: 12 },
    );
  });
});

function refusal(error: unknown): string {
  if (error instanceof FlotillaError && error.fault === 'refused') return error.code;
  throw error;
}

describe('parallel deflate', () => {
  const piece = fc.oneof(
    fc.record({ length: fc.integer({ min: 1, max: 400_000 }), byte: fc.constantFrom(0, 0, 7) }),
    fc.record({ length: fc.integer({ min: 1, max: 200_000 }), seed: fc.nat(1000) }),
  );

  it('is one valid stream of the same bytes, however they come', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 8 }), fc.integer({ min: 1, max: 9 }), async (pieces, level) => {
        const chunks = pieces.map((each) =>
          'byte' in each ? Buffer.alloc(each.length, each.byte) : noise(each.seed, each.length),
        );
        const packed: Buffer[] = [];
        for await (const part of deflateParallel(chunks, level)) packed.push(Buffer.from(part));
        expect(inflateRawSync(Buffer.concat(packed)).equals(Buffer.concat(chunks))).toBe(true);
        const once: Buffer[] = [];
        for await (const part of deflateParallel([Buffer.concat(chunks)], level)) once.push(Buffer.from(part));
        expect(Buffer.concat(once).equals(Buffer.concat(packed))).toBe(true);
      }),
      { numRuns: 20 },
    );
  });
});

function noise(seed: number, length: number): Buffer {
  const out = createHash('shake256', { outputLength: length }).update(String(seed)).digest();
  return Buffer.from(out);
}

describe.skipIf(!hasTools('the holes of sparse files', 'tar'))('the data of a sparse file', () => {
  it('is found, also when there is more of it than a pipe holds', async () => {
    const path = join(scratch.path, 'sparse.bin');
    await writeFile(path, '');
    const handle = await open(path, 'r+');
    const large = Buffer.alloc(1024 * 1024, 1);
    await handle.write(large, 0, large.length, 65_536);
    await handle.write(large, 0, large.length, 4 * 1024 * 1024);
    await handle.truncate(8 * 1024 * 1024);
    await handle.close();
    expect(await dataRanges(path, 8 * 1024 * 1024)).toEqual([
      { offset: 65_536, length: large.length },
      { offset: 4 * 1024 * 1024, length: large.length },
    ]);
  });
});
