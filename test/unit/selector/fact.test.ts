import { describe, expect, it } from 'vitest';

import { matches, parseSelector } from '../../../src/selector/index.ts';
import { device, moment } from './fleet.ts';

const grains = {
  os: 'Debian',
  empty: '',
  nothing: null,
  up: true,
  cores: 4,
  load: 0.25,
  roles: ['web', 'Edge'],
  none: [],
  bare: {},
  fw: { version: '2.1.0', channel: 'stable', slots: ['A', 'B'] },
  net: { eth0: { up: true, addr: ['10.5.0.7'] }, wlan0: { up: false, addr: [] } },
  disks: [
    { dev: 'sda', smart: { ok: true } },
    { dev: 'nvme0n1', smart: { ok: false } },
  ],
  nested: [['a', 'b'], ['c']],
  mac: '02:00:00:00:00:01',
  city: 'İstanbul',
  greek: 'ΣΊΣΥΦΟΣ',
  rocket: '🚀',
  'a:b': { 'c:d': 'e' },
  l1: { l2: { l3: 'deep' } },
};
const target = device('d1', grains, { ring: 'canary' });

function holds(text: string): boolean {
  return matches(parseSelector(text), target, moment);
}

describe('a fact term holds for', () => {
  it.each([
    ['a value, whatever its case', 'G@os:dEBIAN'],
    ['a glob on a value', 'G@fw:version:2.*'],
    ['a true value as text', 'G@up:True'],
    ['null as none', 'G@nothing:none'],
    ['a number as text', 'G@load:.25 or G@load:0.25'],
    ['any value, also an empty text', 'G@empty:*'],
    ['the empty text in quotes', 'G@empty:""'],
    ['a member of a list', 'G@roles:edge'],
    ['a place in a list', 'G@roles:1:edge'],
    ['a place from the end', 'G@roles:-2:web'],
    ['a key that exists', 'G@fw:version'],
    ['a glob on a key', 'G@fw:vers*:2.1.0'],
    ['a glob on the last key', 'G@fw:vers*'],
    ['any one level', 'G@net:*:up:true'],
    ['any one level, or none', 'G@fw:*:version'],
    ['two levels of any name', 'G@l1:*:*:deep'],
    ['any depth', 'G@**:deep'],
    ['any depth below a key', 'G@net:**:10.5.*'],
    ['any depth that is none', 'G@fw:**:version:2.*'],
    ['a key in a member of a list', 'G@disks:dev:sda'],
    ['any key in a member of a list', 'G@disks:*:nvme*'],
    ['a path through a list', 'G@disks:smart:ok:false'],
    ['a list in a list, as Python prints it', "G@nested:\"\\['a', 'b'\\]\""],
    ['a value that holds the delimiter', 'G@mac:02:00:*:01'],
    ['a key that holds the delimiter, in quotes', 'G@"a:b":"c:d":e'],
    ['a key that holds the delimiter, by another one', 'G|@a:b|c:d|e'],
    ['one character outside the BMP', 'G@rocket:?'],
    ['letters whose lower case is longer', 'G@city:İSTANBUL'],
    ['a final sigma', 'G@greek:σίσυφος'],
    ['a wildcard level with any delimiter', 'G|@net|*|up|true'],
    ['a regex on a value', 'P@os:deb'],
    ['a regex after a wildcard key', 'P@net:*:addr:^10\\.5'],
    ['a regex that holds the delimiter', 'P@mac:02:(00:){4}01$'],
    ['a regex with classes in capitals', 'P@fw:version:2\\.\\d\\D\\d$'],
  ])('%s: %s', (_, text) => {
    expect(holds(text)).toBe(true);
  });

  it.each([
    ['a key in another case', 'G@OS:debian'],
    ['a part of a value', 'G@os:deb'],
    ['an empty list', 'G@none:*'],
    ['an empty map', 'G@bare:*'],
    ['a missing key', 'G@nosuch:*'],
    ['a value one level deeper than the wildcard', 'G@l1:*:deep'],
    ['a place beyond the list', 'G@roles:9:*'],
    ['a name that every object inherits', 'G@constructor:* or G@__proto__:* or G@fw:toString'],
    ['another number with the same value', 'G@cores:4.0 or G@cores:04'],
    ['a tag when a grain is meant', 'G@ring:canary'],
    ['a regex that matches only later', 'P@os:ebian'],
    ['a regex with an end', 'P@os:^deb$'],
  ])('not for %s: %s', (_, text) => {
    expect(holds(text)).toBe(false);
  });
});

describe('facts of any shape', () => {
  it('never make a selector throw or loop', () => {
    let deep: unknown = 'x';
    for (let depth = 0; depth < 20_000; depth += 1) deep = depth % 2 === 0 ? { a: deep } : [deep];
    const odd = device('odd', {
      deep,
      a: deep,
      date: new Date(0),
      bytes: new Uint8Array(3),
      missing: undefined,
      big: 10n,
    });
    for (const text of [
      'G@**:x',
      'G@**:**:**:x',
      'G@a:*:*:*:*',
      'G@a:*',
      `G@${'*:'.repeat(60)}x`,
      'P@**:x',
      'G@big:10',
    ]) {
      expect(typeof matches(parseSelector(text), odd, moment)).toBe('boolean');
    }
  });

  it('cost the same for one wildcard level and for many', () => {
    const wide = Object.fromEntries(
      Array.from({ length: 500 }, (_, index) => [`k${index}`, { a: { b: { c: index } } }]),
    );
    const started = performance.now();
    expect(matches(parseSelector(`G@${'*:'.repeat(60)}nosuch`), device('wide', wide), moment)).toBe(false);
    expect(matches(parseSelector(`G@${'**:'.repeat(60)}nosuch`), device('wide', wide), moment)).toBe(false);
    expect(performance.now() - started).toBeLessThan(3_000);
  });
});
