import fc from 'fast-check';
import type { ComparisonTerm, FactTerm, SampleTerm, SelectorNode } from '../../../../src/selector/ast.ts';
import { valueRegexes } from '../../../../src/selector/fact-pattern.ts';
import type { Target } from '../../../../src/selector/index.ts';

/** Few names and values, so that most terms mean some of the devices, and odd ones that have caught other matchers. */
const name = fc.constantFrom('a', 'b', 'ab', 'fw', 'a:b', ' a', '0', '-1', '', '__proto__', 'constructor', 'ipv4', 'é');
const text = fc.constantFrom('a', 'A', 'b', 'ab', 'aB:b', 'true', 'None', '1', '1.5', '', 'É', 'İ', '🚀', "['a']");
const address = fc.constantFrom(
  '10.1.0.1',
  '10.1.0.255',
  '010.1.0.1',
  '10.2.0.1',
  '2001:db8::1',
  '::ffff:10.1.0.1',
  '1',
);
const date = fc.constantFrom('now', '2026-01-01', '2026-01-01T23:30:00Z', '2.1.0', '1.10');
const scalar = fc.oneof(text, address, date, fc.constantFrom(0, 1, 1.5, -0, true, false, null));

const { fact } = fc.letrec<{ fact: unknown; map: unknown; list: unknown }>((tie) => ({
  fact: fc.oneof({ depthSize: 'small', withCrossShrink: true }, scalar, tie('map'), tie('list')),
  map: fc.array(fc.tuple(name, tie('fact')), { maxLength: 3 }).map(recordOf),
  list: fc.array(tie('fact'), { maxLength: 3 }),
}));
/** Deeper than maps are split. */
const deep = fc.tuple(fc.integer({ min: 6, max: 70 }), fact).map(([depth, value]) => {
  let nested = value;
  for (let at = 0; at < depth; at += 1) nested = { a: nested };
  return nested;
});
const record = fc
  .array(fc.tuple(name, fc.oneof({ weight: 20, arbitrary: fact }, { weight: 1, arbitrary: deep })), { maxLength: 5 })
  .map(recordOf);
const addressed = fc
  .tuple(record, fc.option(fc.oneof(address, fc.array(scalar, { maxLength: 3 }))))
  .map(([grains, ipv4]) => (ipv4 === null ? grains : { ...grains, ipv4 }));

/** As JSON.parse makes it: `__proto__` is a name like others. */
function recordOf(entries: [string, unknown][]): Record<string, unknown> {
  const made: Record<string, unknown> = {};
  for (const [key, value] of entries) {
    Object.defineProperty(made, key, { value, enumerable: true, configurable: true, writable: true });
  }
  return made;
}

export const deviceId = fc.stringMatching(/^[ab]{1,3}(-[01])?$/u);

export const device: fc.Arbitrary<Target> = fc.record(
  { id: deviceId, grains: addressed, tags: record },
  { noNullPrototype: true },
);

/** A device that comes or changes, or an id that goes. */
export const change = fc.oneof({ weight: 3, arbitrary: device }, { weight: 1, arbitrary: deviceId });

const key = fc.oneof(
  { weight: 4, arbitrary: name },
  { weight: 2, arbitrary: fc.constantFrom('*', '**', 'a*', '?', '[ab]') },
);
const value = fc.oneof(text, address, name, fc.constantFrom('*', '**', 'a*', '*b', '?', '[!a]', '1*', '10.1.*'));
const regex = fc.constantFrom('a', 'A|b$', '.*b', '^$', '1', '(a+)+$', 'true', '\\[');

const factTerm: fc.Arbitrary<FactTerm> = fc
  .tuple(fc.constantFrom('grains' as const, 'tags' as const), fc.constantFrom(':', '|'), fc.boolean())
  .chain(([from, delimiter, isRegex]) =>
    fc.tuple(fc.array(key, { minLength: 1, maxLength: 4 }), isRegex ? regex : value).map(([keys, last]) => ({
      kind: 'fact' as const,
      from,
      by: isRegex ? ('regex' as const) : ('glob' as const),
      delimiter,
      levels: [...keys, last],
    })),
  )
  .filter(isParsable);

/** The parser refuses a regex whose first place is none. */
function isParsable(asked: FactTerm): boolean {
  if (asked.by === 'glob') return true;
  try {
    valueRegexes(asked);
    return true;
  } catch {
    return false;
  }
}

const comparison = fc.record(
  {
    sign: fc.constantFrom('<' as const, '<=' as const, '>' as const, '>=' as const, '!=' as const),
    of: fc.constant('value' as const),
    operand: fc.constantFrom('0', '1', '1.5.0', '2', 'a', '2026-01-01'),
  },
  { noNullPrototype: true },
);
const age = fc.record(
  {
    sign: fc.constantFrom('<' as const, '>=' as const),
    of: fc.constant('age' as const),
    operand: fc.constantFrom('1h', '2d'),
  },
  { noNullPrototype: true },
);
const comparisonTerm: fc.Arbitrary<ComparisonTerm> = fc.record(
  {
    kind: fc.constant('comparison' as const),
    from: fc.constantFrom('grains' as const, 'tags' as const),
    delimiter: fc.constant(':'),
    keys: fc.array(key, { minLength: 1, maxLength: 3 }),
    comparisons: fc.oneof(
      fc.array(comparison, { minLength: 1, maxLength: 2 }),
      fc.array(age, { minLength: 1, maxLength: 1 }),
    ),
  },
  { noNullPrototype: true },
);
const sample: fc.Arbitrary<SampleTerm> = fc.record(
  {
    kind: fc.constant('sample' as const),
    by: fc.constantFrom('percent' as const, 'count' as const),
    amount: fc.constantFrom(1, 3, 50),
    salt: fc.constantFrom('', 'x'),
  },
  { noNullPrototype: true },
);

const term: fc.Arbitrary<SelectorNode> = fc.oneof(
  { weight: 6, arbitrary: factTerm },
  { weight: 3, arbitrary: comparisonTerm },
  sample,
  fc
    .constantFrom('*', 'a*', 'ab', 'a?', '*-1', 'b*0', '[ab]*')
    .map((pattern) => ({ kind: 'id-glob' as const, pattern })),
  fc.constantFrom('a', 'b$', '(a|b)+-[01]$').map((source) => ({ kind: 'id-regex' as const, source })),
  fc.array(deviceId, { minLength: 1, maxLength: 3 }).map((ids) => ({ kind: 'id-list' as const, ids })),
  fc
    .constantFrom('10.1.0.1', '10.1.0.0/16', '0.0.0.0/0', '2001:db8::/32', '::ffff:10.1.0.0/112')
    .map((network) => ({ kind: 'address' as const, network })),
);

export const { tree } = fc.letrec<{ tree: SelectorNode }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    term,
    fc.record(
      {
        kind: fc.constantFrom('and' as const, 'or' as const),
        operands: fc.array(tie('tree'), { minLength: 2, maxLength: 3 }),
      },
      { noNullPrototype: true },
    ),
    fc.record({ kind: fc.constant('not' as const), operand: tie('tree') }, { noNullPrototype: true }),
    fc.record(
      { kind: fc.constant('group' as const), name: fc.constant('g'), operand: tie('tree') },
      { noNullPrototype: true },
    ),
  ),
}));
