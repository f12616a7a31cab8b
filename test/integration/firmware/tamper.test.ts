import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FlotillaError } from '../../../src/error.ts';
import {
  applyBundle,
  buildBundle,
  readPublicKey,
  signBundle,
  verifyBundle,
  type BundleSummary,
} from '../../../src/firmware/index.ts';
import { readVector, vectors } from '../../support/fwup-vector.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { storedMember, withoutDirectory } from './bundle-bytes.ts';

let scratch: Awaited<ReturnType<typeof temporaryDirectory>>;
let key: Buffer;
let privateKeyPath: string;

beforeAll(async () => {
  scratch = await temporaryDirectory();
  key = await readPublicKey(join(vectors, 'keys', 'alpha.pub'));
  privateKeyPath = join(scratch.path, 'alpha.priv');
  await cp(join(vectors, 'keys', 'alpha.priv'), privateKeyPath);
  await chmod(privateKeyPath, 0o600);
});
afterAll(() => scratch[Symbol.asyncDispose]());

interface Outcome {
  refused?: string;
  summary?: Pick<BundleSummary, 'uuid' | 'tasks' | 'resources'>;
}

async function verify(bytes: Buffer): Promise<Outcome> {
  const path = join(scratch.path, 'tampered.fw');
  await writeFile(path, bytes);
  try {
    const { uuid, tasks, resources } = await verifyBundle({ path, publicKeys: [key] });
    return { summary: { uuid, tasks, resources } };
  } catch (error) {
    if (error instanceof FlotillaError && error.fault === 'refused') return { refused: error.code };
    throw error;
  }
}

async function image(bytes: Buffer): Promise<string> {
  const path = join(scratch.path, 'to-apply.fw');
  const destinationPath = join(scratch.path, 'tampered.img');
  await writeFile(path, bytes);
  await rm(destinationPath, { force: true });
  await applyBundle({ path, destinationPath, task: 'complete', publicKeys: [key] });
  return createHash('sha256')
    .update(await readFile(destinationPath))
    .digest('hex');
}

/** Where the bytes of members stand: what a flip in them must lead to. */
function dataRanges(archive: Buffer): { name: string; start: number; end: number }[] {
  const ranges = [];
  for (let at = archive.indexOf('PK\x03\x04'); at >= 0; at = archive.indexOf('PK\x03\x04', at + 4)) {
    const nameBytes = archive.readUInt16LE(at + 26);
    const start = at + 30 + nameBytes + archive.readUInt16LE(at + 28);
    ranges.push({
      name: archive.toString('latin1', at + 30, at + 30 + nameBytes),
      start,
      end: archive.indexOf('PK\x07\x08', start),
    });
  }
  return ranges;
}

describe('one changed byte', () => {
  const bundle = readVector('signed', 'signed.fw');
  const code: Record<string, RegExp> = {
    'meta.conf.ed25519': /^firmware-bad-signature$/,
    'meta.conf': /^firmware-(metadata-damaged|wrong-key)$/,
    'data/payload': /^firmware-resource-damaged$/,
  };

  it('in the data of any member is refused, and the reason is named', async () => {
    const ranges = dataRanges(bundle);
    expect(ranges.map(({ name }) => name)).toEqual(Object.keys(code));
    for (const { name, start, end } of ranges) {
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: start, max: end - 1 }), async (at) => {
          const tampered = Buffer.from(bundle);
          tampered[at]! ^= 0xff;
          expect((await verify(tampered)).refused).toMatch(code[name]!);
        }),
        { numRuns: 60 },
      );
    }
  });

  it('of which only a bit is flipped is refused, unless deflate has no use for that bit: then all is as before', async () => {
    const before = await verify(bundle);
    const ranges = dataRanges(bundle);
    const place = fc
      .constantFrom(...ranges)
      .chain(({ name, start, end }) =>
        fc.tuple(fc.constant(name), fc.integer({ min: start, max: end - 1 }), fc.integer({ min: 0, max: 7 })),
      );
    await fc.assert(
      fc.asyncProperty(place, async ([name, at, bit]) => {
        const tampered = Buffer.from(bundle);
        tampered[at]! ^= 1 << bit;
        const outcome = await verify(tampered);
        if (outcome.refused !== undefined) expect(outcome.refused).toMatch(code[name]!);
        else expect([name === 'meta.conf.ed25519', outcome]).toEqual([false, before]);
      }),
      { numRuns: 200 },
    );
  });

  it('in any other byte of the file is refused or changes nothing that matters', async () => {
    const before = (await verify(bundle)).summary;
    const beforeImage = await image(bundle);
    const inData = (at: number): boolean => dataRanges(bundle).some(({ start, end }) => at >= start && at < end);
    for (let at = 0; at < bundle.length; at++) {
      if (inData(at)) continue;
      const tampered = Buffer.from(bundle);
      tampered[at]! ^= 1 << (at % 8);
      const outcome = await verify(tampered);
      if (outcome.refused !== undefined) continue;
      expect(outcome.summary).toEqual(before);
      expect(await image(tampered)).toBe(beforeImage);
    }
  });

  it('is refused with the checksums of the archive put right, too', async () => {
    expect(await verify(readVector('signed', 'badsig.fw'))).toEqual({ refused: 'firmware-wrong-key' });
    expect(await verify(readVector('ab-uboot', 'v2-damaged.fw'))).toEqual({ refused: 'firmware-resource-damaged' });
  });
});

describe('an archive put together by someone else', () => {
  const bundle = readVector('signed', 'signed.fw');
  const members = withoutDirectory(bundle);

  it.each([
    ['cut short', bundle.subarray(0, members.length - 200), /firmware-(resource-damaged|malformed)/],
    ['empty', Buffer.alloc(0), /firmware-malformed/],
    ['without a resource', members.subarray(0, members.indexOf('data/payload') - 30), /firmware-resource-damaged/],
    ['with a member more', Buffer.concat([members, storedMember('data/extra', Buffer.from('x'))]), /firmware-malformed/],
    ['with a resource twice', Buffer.concat([members, members.subarray(members.indexOf('data/payload') - 30)]), /firmware-malformed/],
    ['with a second signature', Buffer.concat([members, storedMember('meta.conf.ed25519', Buffer.alloc(64))]), /firmware-malformed/],
    ['with a second meta.conf', Buffer.concat([members, storedMember('meta.conf', Buffer.from('meta-product=x\n'))]), /firmware-malformed/],
    ['with another archive behind', Buffer.concat([bundle, readVector('unsigned', 'bundle.fw')]), /firmware-malformed/],
    ['with a directory of another', Buffer.concat([members, bundle.subarray(members.length).fill('x', 50, 54)]), /firmware-malformed/],
    ['with a name that climbs', Buffer.concat([members, storedMember('data/../../etc/passwd', Buffer.from('x'))]), /firmware-malformed/],
    ['with garbage in front', Buffer.concat([Buffer.from('MZ'), bundle]), /firmware-malformed/],
  ])('%s is refused', async (_what, bytes, code) => {
    expect((await verify(Buffer.from(bytes))).refused).toMatch(code);
  }); // prettier-ignore

  it('is refused, not unpacked, when a resource inflates to more than it should', async () => {
    const configPath = join(scratch.path, 'bomb.conf');
    const path = join(scratch.path, 'bomb.fw');
    await writeFile(join(scratch.path, 'zeros.bin'), Buffer.alloc(64 * 1024 * 1024));
    await writeFile(
      configPath,
      'file-resource r { host-path = "zeros.bin" } task complete { on-resource r { raw_write(0) } }',
    );
    await buildBundle({ configPath, outputPath: path, privateKeyPath, compressionLevel: 1 });
    const big = await readFile(path);
    const small = withoutDirectory(await readFile(await tiny()));
    const body = big.subarray(big.indexOf('data/r') - 30);
    const refusal = await verify(
      Buffer.concat([small.subarray(0, small.indexOf('data/r') - 30), withoutDirectory(body)]),
    );
    expect(refusal).toEqual({ refused: 'firmware-resource-damaged' });
  });

  async function tiny(): Promise<string> {
    const configPath = join(scratch.path, 'tiny.conf');
    const outputPath = join(scratch.path, 'tiny.fw');
    await writeFile(
      configPath,
      'file-resource r { contents = "tiny" } task complete { on-resource r { raw_write(0) } }',
    );
    await buildBundle({ configPath, outputPath, privateKeyPath });
    return outputPath;
  }

  it('is never signed when a resource is damaged', async () => {
    const outputPath = join(scratch.path, 'never.fw');
    const inputPath = join(vectors, 'ab-uboot', 'v2-damaged.fw');
    await expect(signBundle({ inputPath, outputPath, privateKeyPath })).rejects.toMatchObject({
      code: 'firmware-resource-damaged',
    });
    expect(existsSync(outputPath)).toBe(false);
  });

  it('gives a summary or a refusal for any bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.nat(bundle.length), async (noise, at) => {
        const tampered = Buffer.from(bundle);
        Buffer.from(noise).copy(tampered, at);
        await verify(tampered);
      }),
      { numRuns: 150 },
    );
  });
});

describe('without a key', () => {
  it('nothing is verified and nothing is applied', async () => {
    const path = join(vectors, 'signed', 'signed.fw');
    const destinationPath = join(scratch.path, 'none.img');
    await expect(verifyBundle({ path, publicKeys: [] })).rejects.toMatchObject({
      code: 'firmware-no-key',
      fault: 'refused',
    });
    const apply = applyBundle({ path, destinationPath, task: 'complete', publicKeys: [] });
    await expect(apply).rejects.toMatchObject({ code: 'firmware-no-key' });
    expect(existsSync(destinationPath)).toBe(false);
  });
});
