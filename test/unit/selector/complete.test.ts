import { describe, expect, it } from 'vitest';

import { completeSelector, parseSelector } from '../../../src/selector/index.ts';
import { device, groupsOf } from './fleet.ts';

const fleet = [
  device('gw-1', { site: 'fra', city: 'São Paulo', fw: { version: '2.1.0' } }, { ring: 'canary' }),
  device('gw-2', { site: 'zrh', note: 'a*b' }, { ring: 'stable' }),
];
const groups = groupsOf({ canary: 'I@ring:canary' });

function complete(text: string): string[] {
  return completeSelector(text, { targets: () => fleet, ids: () => fleet.map(({ id }) => id), groups });
}

describe('a selector that is being typed', () => {
  it.each([
    ['gw', ['gw-1', 'gw-2']],
    ['G@s', ['G@site:']],
    ['G@site:', ['G@site:fra', 'G@site:zrh']],
    ['G@fw:', ['G@fw:version:']],
    ['G@fw:version:', ['G@fw:version:2.1.0']],
    ['G|@fw|v', ['G|@fw|version|']],
    ['P@site:', []],
    ['I@ring:c', ['I@ring:canary']],
    ['N@', ['N@canary']],
    ['L@gw-1,g', ['L@gw-1,gw-1', 'L@gw-1,gw-2']],
    ['G@city:', ['G@city:"São Paulo"']],
    ['G@note:', ['G@note:a\\*b']],
    ['G@site:fra and not ( I@r', ['G@site:fra and not ( I@ring:']],
    ['G@site:fra a', ['G@site:fra and ']],
    ['not (gw-1) ', ['not (gw-1) and ', 'not (gw-1) or ', 'not (gw-1) not ']],
    ['G@nosuch:', []],
    ['G@"', []],
    ['E@gw', []],
  ])('%s goes on as %j', (text, candidates) => {
    expect(complete(text)).toEqual(candidates);
  });

  it('begins with an engine, an id or not', () => {
    expect(complete('')).toEqual(expect.arrayContaining(['G@', 'N@', 'gw-1', 'not ']));
  });

  it('is offered values that mean themselves', () => {
    for (const text of [...complete('G@city:'), ...complete('G@note:')]) expect(parseSelector(text).root).toBeDefined();
  });
});
