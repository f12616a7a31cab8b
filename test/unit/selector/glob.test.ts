import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { compileGlob } from '../../../src/selector/glob.ts';

const asRegex = new Map([
  ['*', '[^]*'],
  ['?', '[^]'],
  ['.', '\\.'],
  ['[!a]', '[^a]'],
]);

describe('a glob', () => {
  /** Obtained from Python 3.11: fnmatch.fnmatchcase(text, pattern). */
  it.each([
    ['gw_[^1]', 'gw_1', true],
    ['gw_[!1]', 'gw_1', false],
    ['gw_[!1]', 'gw_2', true],
    ['[]]', ']', true],
    ['[!]]', ']', false],
    ['[', '[', true],
    ['a[b', 'a[b', true],
    ['[]', '[]', true],
    ['[!]', '[!]', true],
    ['[c-a]', 'b', false],
    ['[!c-a]', 'b', true],
    ['[a-]', '-', true],
    ['[-a]', '-', true],
    ['[--a]', '.', true],
    ['[a-c-e]', 'd', false],
    ['[a-c-e]', '-', true],
    ['[a-c-e]', 'e', true],
    ['a**b', 'ab', true],
    ['?', '🚀', true],
    ['??', '🚀', false],
    ['*\n*', 'a\nb', true],
    ['{a,b}', 'a', false],
    ['*.fra.*', 'web.fra.example', true],
    ['', '', true],
    ['', 'a', false],
  ])('%s on %s is as in Python', (pattern, text, expected) => {
    expect(compileGlob(pattern)(text)).toBe(expected);
  });

  it('takes the character after a backslash as it is', () => {
    expect(compileGlob('a\\*')('a*')).toBe(true);
    expect(compileGlob('a\\*')('ab')).toBe(false);
    expect(compileGlob('[\\]a]')(']')).toBe(true);
    expect(compileGlob('\\\\')('\\')).toBe(true);
  });

  it('agrees with the same pattern as a regular expression', () => {
    const atom = fc.constantFrom('a', 'b', '.', '*', '?', '[ab]', '[!a]', '[a-b]');
    const property = fc.property(
      fc.array(atom, { maxLength: 8 }),
      fc.stringMatching(/^[ab.]{0,10}$/u),
      (atoms, text) => {
        const naive = atoms.map((part) => asRegex.get(part) ?? part).join('');
        expect(compileGlob(atoms.join(''))(text)).toBe(new RegExp(`^(?:${naive})$`, 'u').test(text));
      },
    );
    fc.assert(property, { numRuns: 2_000 });
  });

  it('with thousands of stars stays quick', () => {
    const started = performance.now();
    expect(compileGlob('*a'.repeat(5_000))(`${'a'.repeat(20_000)}b`)).toBe(false);
    expect(performance.now() - started).toBeLessThan(3_000);
  });
});
