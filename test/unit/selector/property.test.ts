import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { FlotillaError } from '../../../src/error.ts';
import {
  explainSelector,
  formatSelector,
  matches,
  parseSelector,
  selectIds,
  selectorLimit,
  Selector,
  type Comparison,
  type SelectorNode,
  type Target,
} from '../../../src/selector/index.ts';
import { groupsOf, moment, nowMs } from './fleet.ts';
import { escapeInGlob } from '../../../src/selector/glob.ts';

const word = fc.oneof(
  fc.stringMatching(/^[a-c0-9._-]{1,4}$/u),
  fc.constantFrom(
    'and',
    'OR',
    'G@os',
    'São Paulo',
    '日本',
    '(x)',
    `it's`,
    '"',
    '\\',
    'a:b',
    'a,b',
    '>5',
    '!=x',
    'age<1d',
    '==',
    '%1@',
    '#',
    '\u00A0',
    '\u200D',
    '🚀',
  ),
);
const literal = word.map((text) => Array.from(text, escapeInGlob).join(''));
const glob = fc
  .array(fc.oneof(literal, fc.constantFrom('*', '?', '[ab]', '[!a-c]', '[')), { minLength: 1, maxLength: 3 })
  .map((parts) => parts.join(''));
const regex = fc.constantFrom(
  'web',
  '^(a|b)$',
  'a b',
  '\\d+',
  '[()]',
  'a\\"b',
  'a\'b"c',
  '\\(',
  '\\Q(\\E',
  '(?i)x',
  'a:b',
);
const groupTexts = { webs: 'a* or b*', nested: 'not N@webs', 'x-1.y_2': 'G@a:b' };
const groups = groupsOf(groupTexts);
const plainObject = { noNullPrototype: true } as const;
const comparison: fc.Arbitrary<Comparison> = fc.oneof(
  fc.record(
    {
      sign: fc.constantFrom('<' as const, '<=' as const, '>' as const, '>=' as const),
      of: fc.constant('value' as const),
      operand: fc.constantFrom('5', '-0.5', '2.1.0', 'v3', '1.0.0-rc.1', '2026-11-26', '2026-11-26 08:00:00+01:00'),
    },
    plainObject,
  ),
  fc.record({ sign: fc.constant('!=' as const), of: fc.constant('value' as const), operand: word }, plainObject),
  fc.record(
    {
      sign: fc.constantFrom('<' as const, '>=' as const),
      of: fc.constant('age' as const),
      operand: fc.constantFrom('7d', '1h30m', '0.5s'),
    },
    plainObject,
  ),
);
const term: fc.Arbitrary<SelectorNode> = fc
  .oneof<fc.Arbitrary<SelectorNode>[]>(
    glob.map((pattern) => ({ kind: 'id-glob' as const, pattern })),
    regex.map((source) => ({ kind: 'id-regex' as const, source })),
    fc.array(word, { minLength: 1, maxLength: 3 }).map((ids) => ({ kind: 'id-list' as const, ids })),
    fc
      .constantFrom('10.0.0.1', '10.1.0.0/16', '2001:db8::/32')
      .map((network) => ({ kind: 'address' as const, network })),
    fc.record(
      {
        kind: fc.constant('fact' as const),
        from: fc.constantFrom('grains' as const, 'tags' as const),
        by: fc.constant('glob' as const),
        delimiter: fc.constantFrom(':', '|', '@', 'x', '(', ')', '*', '日', '<', '=', '!', 'a', 'g'),
        levels: fc.array(glob, { minLength: 2, maxLength: 4 }),
      },
      plainObject,
    ),
    fc.record(
      {
        kind: fc.constant('comparison' as const),
        from: fc.constantFrom('grains' as const, 'tags' as const),
        delimiter: fc.constantFrom(':', '|', 'x', '('),
        keys: fc.array(glob, { minLength: 1, maxLength: 2 }),
        comparisons: fc.array(comparison, { minLength: 1, maxLength: 3 }),
      },
      plainObject,
    ),
    fc.record(
      {
        kind: fc.constant('sample' as const),
        by: fc.constant('percent' as const),
        amount: fc.constantFrom(0.0001, 0.5, 10, 100),
        salt: fc.oneof(fc.constant(''), word),
      },
      plainObject,
    ),
    fc.record(
      {
        kind: fc.constant('sample' as const),
        by: fc.constant('count' as const),
        amount: fc.constantFrom(1, 2, 50),
        salt: fc.oneof(fc.constant(''), word),
      },
      plainObject,
    ),
    fc.constantFrom(...Object.keys(groupTexts)).map((name) => parseSelector(`N@${name}`, groups).root),
  )
  .filter(
    (node) =>
      node.kind !== 'fact' || node.by === 'glob' || node.delimiter === ':' || !node.levels.join('').includes('|'),
  );

const { tree } = fc.letrec<{ tree: SelectorNode }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small' },
    term,
    fc.record(
      {
        kind: fc.constantFrom('and' as const, 'or' as const),
        operands: fc.array(tie('tree'), { minLength: 2, maxLength: 3 }),
      },
      plainObject,
    ),
    fc.record({ kind: fc.constant('not' as const), operand: tie('tree') }, plainObject),
  ),
}));

const target: fc.Arbitrary<Target> = fc.record({
  id: fc.stringMatching(/^[a-c][a-c0-9]{0,2}$/u),
  grains: fc.dictionary(word, fc.jsonValue()),
  tags: fc.dictionary(word, fc.jsonValue()),
});
const fleet = fc.uniqueArray(target, { maxLength: 6, selector: ({ id }) => id });
const selector = tree.map((root) => new Selector('', root));

/** Text that is likely to go deep into the parser. */
const fragment = fc.constantFrom(
  'G@',
  'P|@',
  'E@',
  'L@',
  'S@',
  'N@',
  'N@webs',
  '%1@',
  '#2@',
  'age<',
  '!=',
  '>=1',
  ' <3',
  'x',
  ':',
  '|',
  ',',
  '(',
  ')',
  '[',
  ']',
  '*',
  '?',
  '"',
  "'",
  '\\',
  ' ',
  '\n',
  ' and ',
  ' or ',
  ' not ',
  'AND',
  '>',
  '10.0.0.0/8',
  '日',
  '\u0000',
  '\uD800',
  '{9}',
  '(?',
  '+',
);
const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.array(fragment, { maxLength: 60 }).map((parts) => parts.join('')),
  fc
    .tuple(fc.array(fragment, { minLength: 1, maxLength: 6 }), fc.integer({ min: 1, max: 5_000 }))
    .map(([parts, times]) => parts.join('').repeat(times).slice(0, 10_240)),
);

describe('any tree', () => {
  it('is printed as text that parses to it', () => {
    const property = fc.property(selector, (subject) => {
      const text = formatSelector(subject);
      const parsed = parseSelector(text, groups);
      expect(parsed.root).toEqual(subject.root);
      expect(formatSelector(parsed)).toBe(text);
    });
    fc.assert(property, { numRuns: 1_500 });
  });

  it('obeys the laws of sets', () => {
    const property = fc.property(tree, tree, tree, fleet, (a, b, c, devices) => {
      const select = (root: SelectorNode): string[] => selectIds(new Selector('', root), devices, nowMs);
      const not = (operand: SelectorNode): SelectorNode => ({ kind: 'not', operand });
      const and = (...operands: SelectorNode[]): SelectorNode => ({ kind: 'and', operands });
      const or = (...operands: SelectorNode[]): SelectorNode => ({ kind: 'or', operands });
      expect(select(not(and(a, b)))).toEqual(select(or(not(a), not(b))));
      expect(select(not(or(a, b)))).toEqual(select(and(not(a), not(b))));
      expect(select(not(not(a)))).toEqual(select(a));
      expect(select(and(a, b))).toEqual(select(and(b, a)));
      expect(select(or(a, b))).toEqual(select(or(b, a)));
      expect(select(and(a, or(b, c)))).toEqual(select(or(and(a, b), and(a, c))));
      expect(select(and(a, not(a)))).toEqual([]);
      expect(select(or(a, not(a)))).toHaveLength(devices.length);
    });
    fc.assert(property, { numRuns: 300 });
  });

  it('is explained by the verdicts that it gives', () => {
    const property = fc.property(selector, fleet, (subject, devices) => {
      const ids = selectIds(subject, devices, nowMs);
      expect(explainSelector(subject, devices, nowMs).matched).toBe(ids.length);
      for (const one of devices) {
        expect(explainSelector(subject, devices, nowMs, one.id).verdict).toBe(ids.includes(one.id));
      }
    });
    fc.assert(property, { numRuns: 300 });
  });
});

describe('any text up to 10 kB', () => {
  it('parses or is refused with a position, soon, and what parses never throws on a device', () => {
    const devices: Target[] = [
      {
        id: 'x',
        grains: { x: 'x', '': [{ x: ['x', { x: null }] }], ipv4: ['10.0.0.1'] },
        tags: { x: { x: { x: 'x' } } },
      },
      { id: 'empty', grains: {}, tags: {} },
    ];
    const property = fc.property(hostile, (text) => {
      const started = performance.now();
      const parsed = parseOrRefuse(text);
      if (parsed !== undefined) {
        for (const one of devices) expect(typeof matches(parsed, one, moment)).toBe('boolean');
        const canonical = formatSelector(parsed);
        // Quotes and the and of `a not b` may take the canonical text over the limit.
        const fits = Buffer.byteLength(canonical) <= selectorLimit.maxExpressionBytes;
        if (fits) expect(parseSelector(canonical, groups).root).toEqual(parsed.root);
      }
      expect(performance.now() - started).toBeLessThan(2_000);
    });
    fc.assert(property, { numRuns: 1_500 });
  });
});

function parseOrRefuse(text: string): Selector | undefined {
  try {
    return parseSelector(text, groups);
  } catch (error) {
    if (!(error instanceof FlotillaError)) throw error;
    expect(error.fault).toBe('usage');
    const { position, excerpt } = error.detail;
    expect(position?.line).toBeGreaterThan(0);
    expect(position?.column).toBeGreaterThan(0);
    expect(excerpt).toMatch(/\n *\^+$/u);
    return undefined;
  }
}
