import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Disk } from '../../../src/firmware/apply/disk.ts';
import { SegmentCache, segmentBytes } from '../../../src/firmware/apply/segment-cache.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

let scratch: Awaited<ReturnType<typeof temporaryDirectory>>;
beforeAll(async () => {
  scratch = await temporaryDirectory();
});
afterAll(() => scratch[Symbol.asyncDispose]());

const segments = 24; // more than the smallest cache holds
const blocks = (segments * segmentBytes) / 512;
const extent = fc
  .record({
    start: fc.nat(blocks - 1),
    count: fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 1500 })),
  }) // prettier-ignore
  .map(({ start, count }) => ({ offset: start * 512, length: Math.min(count, blocks - start) * 512 }));
const step = fc.oneof(
  fc.record({ kind: fc.constant('read' as const), extent }),
  fc.record({ kind: fc.constant('write' as const), extent, value: fc.integer({ min: 1, max: 250 }), streamed: fc.boolean() }), // prettier-ignore
  fc.record({ kind: fc.constant('trim' as const), extent }),
  fc.record({ kind: fc.constant('defer' as const), extent }),
);

describe('the cache before a disk', () => {
  it('reads what was written, trims to zeros what is written again, and leaves the rest of the disk alone', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
        const path = join(scratch.path, 'disk.img');
        await writeFile(path, Buffer.alloc(segments * segmentBytes, 0xff));
        const disk = await Disk.open(path);
        const cache = new SegmentCache(disk, 0);
        const seen = Buffer.alloc(segments * segmentBytes, 0xff);
        // What was trimmed and not written since is zeros to a reader and old bytes on the disk.
        const isOld = Array.from({ length: segments }, () => false);
        for (const each of steps) {
          const { offset, length } = each.extent;
          const [from, to] = [Math.floor(offset / segmentBytes), Math.ceil((offset + length) / segmentBytes)];
          switch (each.kind) {
            case 'read':
              expect((await cache.read(offset, length)).equals(seen.subarray(offset, offset + length))).toBe(true);
              break;
            case 'write':
              await cache.write(offset, Buffer.alloc(length, each.value), each.streamed);
              seen.fill(each.value, offset, offset + length);
              isOld.fill(false, from, to);
              break;
            case 'trim': {
              cache.trim(offset, length);
              const [first, end] = [Math.ceil(offset / segmentBytes), Math.floor((offset + length) / segmentBytes)];
              if (end <= first) break;
              seen.fill(0, first * segmentBytes, end * segmentBytes);
              isOld.fill(true, first, end);
              break;
            }
            case 'defer':
              cache.defer(offset, length);
          }
        }
        await cache.flush();
        await disk.close();
        const image = await readFile(path);
        for (let index = 0; index < segments; index++) {
          if (isOld[index]) continue;
          const [start, end] = [index * segmentBytes, (index + 1) * segmentBytes];
          expect(image.subarray(start, end).equals(seen.subarray(start, end)), `segment ${index}`).toBe(true);
        }
      }),
      { numRuns: 80 },
    );
  });
});
