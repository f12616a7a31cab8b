import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineSplitter } from '../../../src/door/line-splitter.ts';

/** What a splitter makes of these chunks, each pulled dry before the next, or all pushed first. */
function split(chunks: readonly Uint8Array[], maxBytes: number, { eager = false } = {}): string[] {
  const lines = new LineSplitter(maxBytes);
  const found: string[] = [];
  const pull = () => {
    for (let line = lines.next(); line !== undefined; line = lines.next()) {
      found.push(line === 'too-long' ? 'too-long' : `=${Buffer.from(line).toString('latin1')}`);
    }
  };
  for (const chunk of chunks) {
    lines.push(chunk);
    if (!eager) pull();
  }
  pull();
  return found;
}

/** The same in the plainest way: the last piece has no end. */
function naive(bytes: Uint8Array, maxBytes: number): string[] {
  const pieces = Buffer.from(bytes).toString('latin1').split('\n');
  const last = pieces.pop() ?? '';
  const found = pieces.map((piece) => (piece.length > maxBytes ? 'too-long' : `=${piece}`));
  return last.length > maxBytes ? [...found, 'too-long'] : found;
}

const stream = fc
  .array(fc.oneof(fc.constant(0x0a), fc.integer({ min: 0, max: 255 })), { maxLength: 200 })
  .map((bytes) => Uint8Array.from(bytes));

function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

describe('the lines of the door', () => {
  it('are the same however the bytes are cut', () => {
    fc.assert(
      fc.property(
        stream,
        fc.array(fc.nat(), { maxLength: 20 }),
        fc.integer({ min: 1, max: 40 }),
        (bytes, places, max) => {
          const chunks = cut(bytes, places);
          expect(split(chunks, max)).toEqual(naive(bytes, max));
          expect(split(chunks, max, { eager: true })).toEqual(naive(bytes, max));
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('are found byte by byte, and a long one is said once, before its end has come', () => {
    const bytes = Buffer.from('ab\n\ncdefgh\nij\nk');
    expect(
      split(
        [...bytes].map((byte) => Uint8Array.of(byte)),
        4,
      ),
    ).toEqual(['=ab', '=', 'too-long', '=ij']);
    const lines = new LineSplitter(4);
    lines.push(Buffer.from('cdefg'));
    expect(lines.next()).toBe('too-long');
    expect(lines.unfinishedBytes).toBe(0);
    lines.push(Buffer.from('h'.repeat(10_000)));
    expect([lines.next(), lines.unfinishedBytes]).toEqual([undefined, 0]);
  });
});
