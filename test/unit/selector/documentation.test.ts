import { readFileSync } from 'node:fs';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

import { engines, formatSelector, parseSelector } from '../../../src/selector/index.ts';
import { device, groupsOf, refusal, select } from './fleet.ts';

const page = readFileSync(path.join(import.meta.dirname, '../../../docs/selectors.md'), 'utf8');
const examples = [...page.matchAll(/^```selector\n(.*?)^```/gmsu)].flatMap(([, block = '']) =>
  block.trim().split('\n'),
);

const groups = groupsOf({ canary: 'I@ring:canary or G@site:lab' });

describe('docs/selectors.md', () => {
  it.each(examples)('has an example that parses: %s', (example) => {
    const { root } = parseSelector(example, groups);
    expect(parseSelector(formatSelector(parseSelector(example, groups)), groups).root).toEqual(root);
  });

  it('shows the excerpt that a mistake gives', () => {
    expect(page).toContain(refusal('web-* and not G@site').detail.excerpt);
  });

  it.each([
    ['`<3` takes in\n  3.0.0-rc.1', 'G@x:<3', '3.0.0-rc.1', true],
    ['`<3.0.0-0` does not', 'G@x:<3.0.0-0', '3.0.0-rc.1', false],
    ['`G@x:>v2.9` on the text `2.10`', 'G@x:>v2.9', '2.10', true],
    ['`G@x:>2.9` on `2.10` compares numbers', 'G@x:>2.9', '2.10', false],
    ['a list with `web` in it is not `!=web`', 'G@x:!=web', ['web', 'db'], false],
  ])('says rightly: %s', (sentence, text, value, verdict) => {
    expect(page).toContain(sentence);
    expect(select(text, [device('one', { x: value })]).length === 1).toBe(verdict);
  });

  it.each(['==', '=>', '<>', '=~'])('says rightly that the sign %s is refused', (sign) => {
    expect(page).toContain(`\`${sign}\``);
    expect(refusal(`G@x:${sign}5`).code).toBe('selector-bad-comparison');
  });

  it('names every engine', () => {
    for (const { letter } of engines) expect(page).toContain(`| \`${letter}@`);
  });

  it.each([
    'not P@os:[',
    'G@os:',
    'E@',
    'not ( )',
    'not ()',
    'not X@foo',
    'P@nokey:[',
    'E@^(?!web).*',
    'not L@,',
    'G||@os||Debian',
    'N@empty',
  ])('says rightly that this is refused: %s', (text) => {
    expect(page.replaceAll('\\|', '|')).toContain(`\`${text}\``);
    expect(refusal(text).fault).toBe('usage');
  });
});
