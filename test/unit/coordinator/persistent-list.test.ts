import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PersistentList } from '../../../src/coordinator/persistent-list.ts';

describe('PersistentList', () => {
  it('is what an array is, and never changes', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1200 }),
        fc.array(fc.tuple(fc.nat(), fc.integer()), { maxLength: 30 }),
        (length, changes) => {
          let array = Array.from({ length }, (_, index) => index);
          let list = PersistentList.from(array);
          for (const [position, value] of changes) {
            const index = position % length;
            const before = list.at(index);
            const next = list.with(index, value);
            expect(list.at(index)).toBe(before);
            list = next;
            array = array.with(index, value);
          }
          expect([...list]).toEqual(array);
          expect(list.length).toBe(length);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('refuses an index outside of it', () => {
    const list = PersistentList.from(['a']);
    for (const index of [-1, 1, 300]) expect(() => list.at(index)).toThrow(RangeError);
  });
});
