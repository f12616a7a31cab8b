import { describe, expect, it } from 'vitest';

import { drawNumber } from '../../../src/selector/sample.ts';
import { device, select } from './fleet.ts';

const fleet = Array.from({ length: 10_000 }, (_, index) => device(`gw-${String(index).padStart(5, '0')}`));

describe('a sample', () => {
  it('draws by numbers that never change', () => {
    expect(['gw-00001', 'gw-00002', ''].map((id) => drawNumber('', id))).toEqual([683475406, 3836369322, 579050429]);
    expect(drawNumber('blue', 'gw-00001')).toBe(3592158356);
  });

  it('of ten per cent is about that, whatever the ids and the word', () => {
    for (const word of ['', 'blue', '日本']) {
      const { length } = select(`%10@${word}`, fleet);
      // Six standard deviations of a fair draw.
      expect(Math.abs(length - 1_000)).toBeLessThan(180);
    }
  });

  it('with another word is another one', () => {
    const both = select('%10@ and %10@blue', fleet);
    expect(Math.abs(both.length - 100)).toBeLessThan(60);
  });

  it('is a part of a larger one', () => {
    expect(select('%10@blue and not %20@blue', fleet)).toEqual([]);
    expect(select('#50@blue and not #60@blue', fleet)).toEqual([]);
    expect(select('not %100@', fleet)).toEqual([]);
  });

  it('keeps its devices when others come and go', () => {
    const before = new Set(select('%10@', fleet));
    const after = select('%10@', [...fleet.slice(0, 5_000), device('newcomer')]);
    expect(after.filter((id) => id !== 'newcomer').every((id) => before.has(id))).toBe(true);
  });

  it('of a count is that many, or all there are', () => {
    expect(select('#50@', fleet)).toHaveLength(50);
    expect(select('#50@', fleet.slice(0, 30))).toHaveLength(30);
    expect(select('not #50@', fleet)).toHaveLength(9_950);
    expect(select('#1@ or #1@blue', fleet)).toHaveLength(2);
  });

  it('of a count does not depend on the order of the fleet', () => {
    expect(select('#50@x', fleet.toReversed())).toEqual(select('#50@x', fleet));
  });

  it('of a count is drawn from the fleet, not from what stands beside it', () => {
    const [first = ''] = select('#1@', fleet);
    expect(select(`${first} and #1@`, fleet)).toEqual([first]);
    expect(select(`not ${first} and #1@`, fleet)).toEqual([]);
  });
});
