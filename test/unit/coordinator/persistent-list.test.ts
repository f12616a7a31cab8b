import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PersistentList } from '../../../src/coordinator/persistent-list.ts';

/** Of one of the versions that there are: an item is replaced, or one is appended. */
const change = fc.record({ version: fc.nat(), index: fc.nat(), item: fc.integer(), appends: fc.boolean() });

describe('PersistentList', () => {
  it('is what an array is, and none of its versions ever changes, whichever of them is gone on from', () => {
    fc.assert(
      fc.property(fc.nat({ max: 40 }), fc.array(change, { maxLength: 40 }), (length, changes) => {
        const arrays = [Array.from({ length }, (_, index) => index)];
        const lists = [PersistentList.from(arrays[0]!)];
        for (const { version, index, item, appends } of changes) {
          const array = arrays[version % arrays.length]!;
          const list = lists[version % lists.length]!;
          if (appends || array.length === 0) {
            arrays.push([...array, item]);
            lists.push(list.append(item));
          } else {
            arrays.push(array.with(index % array.length, item));
            lists.push(list.with(index % array.length, item));
          }
        }
        expect(lists.map((list) => [...list])).toEqual(arrays);
        for (const [version, array] of arrays.entries()) {
          const list = lists[version]!;
          expect(list.length).toBe(array.length);
          expect(array.map((_, index) => list.at(index))).toEqual(array);
        }
      }),
    );
  });

  it('is walked through as it is at the first step, whatever is made of it meanwhile', () => {
    let list = PersistentList.from([1, 2, 3]);
    const seen: number[] = [];
    for (const item of list) {
      seen.push(item);
      for (const index of [0, 1, 2]) list = list.with(index, list.at(index) * 10);
    }
    expect(seen).toEqual([1, 2, 3]);
    expect([...list]).toEqual([1_000, 2_000, 3_000]);
  });

  it('refuses an index outside of it', () => {
    const list = PersistentList.from(['a']);
    list.append('b');
    for (const index of [-1, 1, 300, Number.NaN]) {
      expect(() => list.at(index)).toThrow(RangeError);
      expect(() => list.with(index, 'c')).toThrow(RangeError);
    }
  });
});
