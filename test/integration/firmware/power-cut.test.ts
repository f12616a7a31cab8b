import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Disk } from '../../../src/firmware/apply/disk.ts';
import { EnvironmentAccess } from '../../../src/firmware/apply/environment-access.ts';
import { SegmentCache, type Medium } from '../../../src/firmware/apply/segment-cache.ts';
import {
  loadUbootEnvironment,
  type BlockStore,
  type UbootLayout,
} from '../../../src/firmware/apply/uboot-environment.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

/** A real image whose writes are noted, so that the power can be cut in thought after any of them. */
class RecordedDisk implements Medium {
  readonly writes: { offset: number; bytes: Buffer }[] = [];
  readonly syncedAfter: number[] = [];
  readonly #disk: Disk;
  constructor(disk: Disk) {
    this.#disk = disk;
  }
  read(offset: number, length: number) {
    return this.#disk.read(offset, length);
  }
  write(offset: number, parts: readonly Buffer[]) {
    this.writes.push({ offset, bytes: Buffer.concat(parts) });
    return this.#disk.write(offset, parts);
  }
  extendTo(length: number) {
    return this.#disk.extendTo(length);
  }
  sync() {
    this.syncedAfter.push(this.writes.length);
    return this.#disk.sync();
  }
}

let scratch: Awaited<ReturnType<typeof temporaryDirectory>>;
beforeAll(async () => {
  scratch = await temporaryDirectory();
});
afterAll(() => scratch[Symbol.asyncDispose]());

const size = 512 * 1024;
const near: UbootLayout = { blockOffset: 8, blockCount: 4, blockOffsetRedund: 12 };
const far: UbootLayout = { blockOffset: 8, blockCount: 4, blockOffsetRedund: 600 };

function storeOf(image: Buffer): BlockStore {
  return {
    read: async (offset, length) => Buffer.from(image.subarray(offset, offset + length)),
    write: async () => undefined,
  };
}

describe('an environment with two copies, when the power goes', () => {
  it('is at every moment a state that the actions went through, and the slot flips with the last of them', async () => {
    const counts = fc.record({
      layout: fc.constantFrom(near, far),
      before: fc.integer({ min: 0, max: 3 }),
      changes: fc.integer({ min: 1, max: 6 }),
      torn: fc.integer({ min: 0, max: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(counts, async ({ layout, before, changes, torn }) => {
        const path = join(scratch.path, 'disk.img');
        await writeFile(path, Buffer.alloc(size));
        const disk = await Disk.open(path);
        // The state of before: cleared, then a few writes, so that either copy may be the one that holds.
        const first = new SegmentCache(disk, 8);
        const environment = new EnvironmentAccess(first, layout);
        await environment.clear();
        for (let turn = 0; turn <= before; turn++) await environment.set('step', `old${turn}`);
        await first.flush();
        const start = await disk.read(0, size);

        const recorded = new RecordedDisk(disk);
        const cache = new SegmentCache(recorded, 8);
        const later = new EnvironmentAccess(cache, layout);
        for (let turn = 1; turn <= changes; turn++) await later.set('step', `new${turn}`);
        await cache.write(100 * 512, Buffer.alloc(512, 1)); // a table of data beside it
        await cache.flush();
        await disk.close();

        const allowed = [`old${before}`, ...Array.from({ length: changes }, (_, turn) => `new${turn + 1}`)];
        for (let done = 0; done <= recorded.writes.length; done++) {
          const image = Buffer.from(start);
          for (const { offset, bytes } of recorded.writes.slice(0, done)) bytes.copy(image, offset);
          const next = recorded.writes[done];
          // The write that was going on: only some of its sectors arrived.
          if (next) next.bytes.subarray(0, torn * 512).copy(image, next.offset);
          const { variables } = await loadUbootEnvironment(storeOf(image), layout);
          expect(allowed).toContain(variables.get('step'));
          if (done === recorded.writes.length) expect(variables.get('step')).toBe(`new${changes}`);
        }
        // Other data first, and synced; then each copy, synced before the next.
        expect(recorded.writes[0]!.offset).toBe(100 * 512);
        expect(recorded.syncedAfter).toEqual(recorded.writes.map((_, index) => index + 1));
      }),
      { numRuns: 60 },
    );
  });
});
