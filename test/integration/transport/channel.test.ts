import { Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { Channel } from '../../../src/transport/channel.ts';
import { eventually } from '../../support/eventually.ts';

/** Two streams joined, carried in pieces of `bytes`. */
function joined(bytes: number): { a: Duplex; b: Duplex; writes: () => number } {
  let writes = 0;
  const half = (peer: () => Duplex): Duplex =>
    new Duplex({
      read() {},
      write(chunk: Buffer, _, done) {
        writes += 1;
        for (let at = 0; at < chunk.length; at += bytes) peer().push(Buffer.from(chunk.subarray(at, at + bytes)));
        done();
      },
      final(done) {
        peer().push(null);
        done();
      },
    });
  const a: Duplex = half(() => b);
  const b: Duplex = half(() => a);
  return { a, b, writes: () => writes };
}

describe('a channel between our own processes', () => {
  it.each([1, 3, 7, 4_096, 1e9])('carries frames whole when the stream cuts them every %i bytes', async (cut) => {
    const { a, b, writes } = joined(cut);
    const got: [number, number][] = [];
    let end: string | undefined;
    const channel = new Channel(
      a,
      () => undefined,
      () => undefined,
    );
    new Channel(
      b,
      (kind, body) => got.push([kind, body.rest().length]),
      (reason) => (end = reason),
    ).onDrain(() => undefined);
    for (let n = 0; n < 50; n += 1) channel.send(n, (body) => body.bytes(new Uint8Array(n * 10)));
    await eventually('all', () => got.length === 50, { everyMs: 1 });
    expect(got).toEqual(Array.from({ length: 50 }, (_, n) => [n, n * 10]));
    expect(writes()).toBe(1); // one tick, one write
    channel.send(60, () => undefined);
    channel.end();
    await eventually('the end', () => end, { everyMs: 1 });
    expect(got.at(-1)).toEqual([60, 0]);
    expect(end).toBe('ended');
  });

  it('ends at a length that can not be', async () => {
    const { a, b } = joined(1e9);
    let end: string | undefined;
    new Channel(
      b,
      () => undefined,
      (reason) => (end = reason),
    ).onDrain(() => undefined);
    a.write(Buffer.from('ffffffff00', 'hex'));
    expect(await eventually('the end', () => end, { everyMs: 1 })).toContain('4294967295 bytes');
  });
});
