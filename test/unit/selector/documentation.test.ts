import { readFileSync } from 'node:fs';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

import { engines, formatSelector, parseSelector } from '../../../src/selector/index.ts';
import { refusal } from './fleet.ts';

const page = readFileSync(path.join(import.meta.dirname, '../../../docs/selectors.md'), 'utf8');
const examples = [...page.matchAll(/^```selector\n(.*?)^```/gmsu)].flatMap(([, block = '']) =>
  block.trim().split('\n'),
);

describe('docs/selectors.md', () => {
  it.each(examples)('has an example that parses: %s', (example) => {
    expect(parseSelector(formatSelector(parseSelector(example))).root).toEqual(parseSelector(example).root);
  });

  it('shows the excerpt that a mistake gives', () => {
    expect(page).toContain(refusal('web-* and not G@site').detail.excerpt);
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
  ])('says rightly that this is refused: %s', (text) => {
    expect(page.replaceAll('\\|', '|')).toContain(`\`${text}\``);
    expect(refusal(text).fault).toBe('usage');
  });
});
