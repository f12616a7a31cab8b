import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { execa } from 'execa';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { adler32 } from '../../../src/firmware/delta/adler.ts';
import { codeTable } from '../../../src/firmware/delta/code-table.ts';
import { decodeDelta } from '../../../src/firmware/delta/decode.ts';
import { FlotillaError } from '../../../src/error.ts';
import { readVector } from '../../support/fwup-vector.ts';
import { hasTools } from '../../support/system-tool.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const sourceOf = (bytes: Buffer) => ({
  read: async (offset: number, into: Buffer) => {
    if (offset + into.length > bytes.length) throw new RangeError('outside');
    bytes.copy(into, 0, offset);
  },
});

async function decode(patch: Buffer, source: Buffer | undefined): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of decodeDelta(Readable.from([patch]), source && sourceOf(source)))
    parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

const hasXdelta = hasTools('deltas that xdelta3 makes', 'xdelta3');

describe('a VCDIFF patch', () => {
  it('of fwup makes the target of it', async () => {
    const patch = readVector('delta-fat', 'patch.vcdiff');
    expect(await decode(patch, readVector('delta-fat', 'k1.bin'))).toEqual(readVector('delta-fat', 'k2.bin'));
  });

  it('has a code table of 256 entries, each of one or two instructions', () => {
    expect(codeTable).toHaveLength(256);
    expect(codeTable[20]).toEqual([{ operation: 'copy', size: 4, mode: 0 }]);
    expect(codeTable[255]).toEqual([{ operation: 'copy', size: 4, mode: 8 }, { operation: 'add', size: 1, mode: 0 }]); // prettier-ignore
  });

  it('is refused for another source, and for what devices do not take', async () => {
    const patch = readVector('delta-fat', 'patch.vcdiff');
    await expect(decode(patch, Buffer.alloc(25_088))).rejects.toMatchObject({ code: 'firmware-delta-failed' });
    for (const indicator of [1, 2, 8]) {
      const changed = Buffer.from(patch);
      changed[4] = indicator;
      await expect(decode(changed, undefined)).rejects.toMatchObject({ code: 'firmware-delta-failed' });
    }
  });

  it('with any byte changed is refused, or makes the same', async () => {
    const patch = readVector('delta-fat', 'patch.vcdiff');
    const source = readVector('delta-fat', 'k1.bin');
    const target = readVector('delta-fat', 'k2.bin');
    await fc.assert(
      fc.asyncProperty(fc.nat(patch.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const changed = Buffer.from(patch);
        changed[at]! ^= change;
        try {
          expect(await decode(changed, source)).toEqual(target);
        } catch (error) {
          if (!(error instanceof FlotillaError) && !(error instanceof RangeError)) throw error;
        }
      }),
      { numRuns: 200 },
    );
  });

  it.skipIf(!hasXdelta)('of xdelta3 makes what it was made for, whatever the two are', async () => {
    await using scratch = await temporaryDirectory();
    const [old, fresh, patch] = ['old', 'new', 'patch'].map((name) => join(scratch.path, name)) as [string, string, string]; // prettier-ignore
    const piece = fc.oneof(
      fc.record({ length: fc.integer({ min: 1, max: 4000 }), from: fc.nat(20_000) }),
      fc.record({ length: fc.integer({ min: 1, max: 300 }), byte: fc.nat(255) }),
      fc.record({ fresh: fc.uint8Array({ minLength: 1, maxLength: 200 }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (pieces) => {
        const source = randomBytes(24_000);
        const target = Buffer.concat(
          pieces.map((each) => {
            if ('from' in each) return source.subarray(each.from, each.from + each.length);
            return 'byte' in each ? Buffer.alloc(each.length, each.byte) : Buffer.from(each.fresh);
          }),
        );
        await writeFile(old, source);
        await writeFile(fresh, target);
        await execa('xdelta3', ['-e', '-A', '-S', '-f', '-s', old, fresh, patch]);
        expect(await decode(await readFile(patch), source)).toEqual(target);
      }),
      { numRuns: 15 },
    );
  });
});

describe('Adler-32', () => {
  it('is what its definition says', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 9000 }), (bytes) => {
        let [a, b] = [1, 0];
        for (const byte of bytes) {
          a = (a + byte) % 65_521;
          b = (b + a) % 65_521;
        }
        expect(adler32(bytes)).toBe(b * 65_536 + a);
      }),
    );
  });
});
