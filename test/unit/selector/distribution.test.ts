import { describe, expect, it } from 'vitest';

import { distributionOf, parsePlace, type Distribution } from '../../../src/selector/index.ts';
import { device } from './fleet.ts';

const fleet = [
  device('a', { site: 'fra', roles: ['web', 'db', 'web'], fw: { version: '2.1.0', channel: 'stable' }, 'a:b': 1 }),
  device('b', { site: 'zrh', roles: ['db'], fw: { version: '2.1.0' }, disks: [{ dev: 'sda' }, { dev: 'sdb' }] }),
  device('c', { site: 'fra', roles: [], fw: {}, virtual: true, load: 0.5, note: null }, { ring: 'canary' }),
];

function values(place: string, limit = 20): Distribution {
  return distributionOf(fleet, parsePlace(place), limit);
}

describe('the values at a place', () => {
  it.each([
    ['G@site', 'fra 2, zrh 1', 0],
    ['G@roles', 'db 2, web 1', 1],
    ['G@roles:0', 'db 1, web 1', 1],
    ['G@fw:version', '2.1.0 2', 1],
    ['G@fw:*', '2.1.0 2, stable 1', 1],
    ['G@f?:vers*', '2.1.0 2', 1],
    ['G@disks:dev', 'sda 1, sdb 1', 2],
    ['G@disks:1:dev', 'sdb 1', 2],
    ['G@"a:b"', '1 1', 2],
    ['G|@a:b', '1 1', 2],
    ['G@virtual', 'true 1', 2],
    ['G@note', 'null 1', 2],
    ['I@ring', 'canary 1', 2],
    ['G@nosuch', '', 3],
  ])('%s', (place, expected, missing) => {
    const found = values(place);
    expect(found.values.map(({ value, count }) => `${value} ${count}`).join(', ')).toBe(expected);
    expect([found.devices, found.missing]).toEqual([3, missing]);
  });

  it('are the keys where a map is', () => {
    expect(values('G@fw').keys).toEqual([
      { key: 'version', count: 2 },
      { key: 'channel', count: 1 },
    ]);
    expect(values('G@').keys.slice(0, 3)).toEqual([
      { key: 'fw', count: 3 },
      { key: 'roles', count: 3 },
      { key: 'site', count: 3 },
    ]);
    expect(values('I@').missing).toBe(2);
  });

  it('are cut to the most frequent, and the rest is counted', () => {
    expect(values('G@site', 1)).toMatchObject({ distinct: 2, values: [{ value: 'fra', count: 2 }] });
  });

  it.each(['site', 'P@site', 'G@a:', 'G@:a', 'G@**:a', 'G@site or G@os', 'L@a', ''])('are not had of %j', (place) => {
    expect(() => parsePlace(place)).toThrow(expect.objectContaining({ code: 'selector-no-place', fault: 'usage' }));
  });
});
