import { describe, expect, it } from 'vitest';
import { WantList } from '../../../src/session/want-list.ts';

const data = (id: number, length: number) => ({ type: 'data', id, bytes: new Uint8Array(length) }) as const;

describe('parts that a device asked for', () => {
  it('take what was wanted, in pieces, and not a byte more', () => {
    const list = new WantList();
    const id = list.add(10);
    expect(list.receive(data(id, 4))).toMatchObject({ kind: 'data', last: false });
    expect(() => list.receive(data(id, 7))).toThrow('1 bytes more than wanted');
    expect(list.receive(data(id, 6))).toMatchObject({ kind: 'data', last: true });
    expect(() => list.receive(data(id, 1))).toThrow('part 1 is over, and 1 bytes more came');
    expect(() => list.receive(data(id + 1, 1))).toThrow('was never asked for');
  });

  it('drop what is on its way of a cancelled one, and no more than that', () => {
    const list = new WantList();
    const id = list.add(10);
    list.receive(data(id, 4));
    expect([list.cancel(id), list.cancel(id)]).toEqual([true, false]);
    expect(list.receive(data(id, 5))).toBeUndefined();
    expect(() => list.receive(data(id, 2))).toThrow('1 bytes more than wanted');
    const other = list.add(3);
    list.cancel(other);
    expect(list.receive({ type: 'want-refused', id: other, code: 'failed' })).toBeUndefined();
    expect(() => list.receive(data(other, 1))).toThrow('is over');
    expect(list.takeTook()).toBe(4 + 5 + 2 + 1);
  });
});
