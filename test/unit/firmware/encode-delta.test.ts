import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { execa } from 'execa';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AddressCache } from '../../../src/firmware/delta/address-cache.ts';
import { decodeDelta } from '../../../src/firmware/delta/decode.ts';
import { encodeDelta } from '../../../src/firmware/delta/encode.ts';
import { hasTools } from '../../support/system-tool.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const copies: Buffer[] = [];
  for await (const chunk of chunks) copies.push(Buffer.from(chunk));
  return Buffer.concat(copies);
}

async function encode(source: Buffer, target: Buffer, pieceBytes = 1 << 20): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let at = 0; at < target.length; at += pieceBytes) pieces.push(target.subarray(at, at + pieceBytes));
  return collect(encodeDelta(source, Readable.from(pieces)));
}

async function decode(patch: Buffer, source: Buffer): Promise<Buffer> {
  const read = async (offset: number, into: Buffer) => void source.copy(into, 0, offset);
  return collect(decodeDelta(Readable.from([patch]), { read }));
}

/** Bytes that look like files: noise, words, runs, and parts of each other. */
const content = (maxPieces: number): fc.Arbitrary<Buffer> =>
  fc
    .array(
      fc.oneof(
        fc.uint8Array({ minLength: 1, maxLength: 700 }),
        fc.record({ byte: fc.nat(255), length: fc.integer({ min: 1, max: 900 }) }),
        fc.record({ word: fc.constantFrom('flotilla', 'ab', 'tide table ', '\0\0\u0001'), times: fc.nat(90) }),
        fc.record({ back: fc.nat(3_000), length: fc.nat(2_000) }),
      ),
      { maxLength: maxPieces },
    )
    .map((pieces) => {
      let bytes = Buffer.alloc(0);
      for (const piece of pieces) {
        let next: Uint8Array;
        if (piece instanceof Uint8Array) next = piece;
        else if ('byte' in piece) next = Buffer.alloc(piece.length, piece.byte);
        else if ('word' in piece) next = Buffer.from(piece.word.repeat(piece.times));
        else next = bytes.subarray(Math.max(0, bytes.length - piece.back)).subarray(0, piece.length);
        bytes = Buffer.concat([bytes, next]);
      }
      return bytes;
    });

/** What became of the old bytes: parts of them in another order, changed here and there, with new ones between. */
const pair = fc
  .record({
    source: content(14),
    fresh: content(4),
    cuts: fc.array(fc.record({ from: fc.nat(9_000), length: fc.nat(4_000), change: fc.nat(20) }), { maxLength: 8 }),
  })
  .map(({ source, fresh, cuts }) => {
    const parts = cuts.map(({ from, length, change }) => {
      const part = Buffer.from(source.subarray(from % (source.length + 1)).subarray(0, length));
      if (part.length > 0 && change < 10) part[(change * 331) % part.length]! ^= 0x5a;
      return part;
    });
    const middle = Math.ceil(parts.length / 2);
    return { source, target: Buffer.concat([...parts.slice(0, middle), fresh, ...parts.slice(middle)]) };
  });

const hasXdelta = hasTools('deltas that xdelta3 reads', 'xdelta3');

describe('a delta of ours', () => {
  it('makes the target again, however its bytes come', async () => {
    await fc.assert(
      fc.asyncProperty(pair, fc.integer({ min: 1, max: 5_000 }), async ({ source, target }, pieceBytes) => {
        const patch = await encode(source, target, pieceBytes);
        expect((await decode(patch, source)).equals(target)).toBe(true);
      }),
      { numRuns: 150 },
    );
  });

  it.skipIf(!hasXdelta)('is read by xdelta3, whatever the two are', { timeout: 60_000 }, async () => {
    await using scratch = await temporaryDirectory();
    const seed = Date.now() % 2 ** 31;
    for (const [index, { source, target }] of fc.sample(pair, { numRuns: 200, seed }).entries()) {
      const write = (name: string, bytes: Buffer) => writeFile(join(scratch.path, `${index}.${name}`), bytes);
      await Promise.all([write('old', source), write('new', target), write('patch', await encode(source, target))]);
    }
    // One shell for all: starting a process from here costs more than what it does.
    const script = 'for i in $(seq 0 199); do xdelta3 -d -c -s $i.old $i.patch | cmp - $i.new || echo "case $i"; done';
    const { all } = await execa('sh', ['-c', script], { cwd: scratch.path, all: true });
    expect(all, `seed ${seed}`).toBe('');
  });

  it('goes over several windows and keeps its place in the source', async () => {
    const source = Buffer.alloc(9 * 1024 * 1024);
    for (let at = 0, word = 1; at < source.length; at += 4) {
      word = (Math.imul(word, 1_664_525) + 1_013_904_223) >>> 0;
      source.writeUInt32LE(word, at);
    }
    const target = Buffer.concat([source.subarray(0, 5_000_000), Buffer.from('inserted'), source.subarray(5_000_000)]);
    const patch = await encode(source, target, 77_777);
    expect(patch.length).toBeLessThan(300);
    expect((await decode(patch, source)).equals(target)).toBe(true);
  });

  it.skipIf(!hasXdelta)('is about as small as one of xdelta3', async () => {
    await using scratch = await temporaryDirectory();
    const [old, fresh, theirs] = ['old', 'new', 'theirs'].map((name) => join(scratch.path, name)) as [string, string, string]; // prettier-ignore
    let state = 7;
    const next = (below: number): number => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) % below;
    const words = Array.from({ length: 4_000 }, () => Buffer.from(next(2 ** 32).toString(36)));
    const text = (count: number): Buffer => Buffer.concat(Array.from({ length: count }, () => words[next(4_000)]!));
    const source = text(300_000);
    const target = Buffer.from(source);
    for (let edit = 0; edit < 60; edit++) text(120).copy(target, next(target.length - 2_000));
    await writeFile(old, source);
    await writeFile(fresh, target);
    await execa('xdelta3', ['-9', '-S', 'none', '-e', '-f', '-s', old, fresh, theirs]);
    const ours = await encode(source, target);
    expect((await decode(ours, source)).equals(target)).toBe(true);
    expect(ours.length).toBeLessThan(1.3 * (await readFile(theirs)).length);
  });
});

describe('the cache of addresses', () => {
  it('reads what it has written', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ address: fc.nat(5_000), ahead: fc.integer({ min: 1, max: 900 }) })), (steps) => {
        const [writer, reader] = [new AddressCache(), new AddressCache()];
        for (const { address, ahead } of steps) {
          const { mode, value } = writer.write(address, address + ahead);
          expect(value).toBeLessThanOrEqual(address);
          expect(reader.read(mode, value, address + ahead)).toBe(address);
        }
      }),
    );
  });
});
