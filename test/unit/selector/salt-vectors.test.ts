import { readFileSync } from 'node:fs';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

import { FlotillaError } from '../../../src/error.ts';
import { parseSelector, selectIds, type Target } from '../../../src/selector/index.ts';
import { nowMs } from './fleet.ts';

/** Verdicts of Salt 3006.0's own matchers; see docs/selectors.md for the classes of difference. */
interface SaltVectors {
  devices: { id: string; grains: Record<string, unknown>; pillar: Record<string, unknown> }[];
  cases: SaltCase[];
}
interface SaltCase {
  n: number;
  kind: string;
  expr: string;
  /** What Salt's client made of it: named groups expanded. */
  sent?: string;
  delimiter?: string;
  match?: string[];
  tags?: string[];
}

const file = path.join(import.meta.dirname, '../../vectors/selector/salt-selectors.json');
// The file is ours and its shape is asserted by every case below.
// eslint-disable-next-line typescript/no-unsafe-type-assertion
const vectors = JSON.parse(readFileSync(file, 'utf8')) as SaltVectors;
const fleet: Target[] = vectors.devices.map(({ id, grains, pillar }) => ({ id, grains, tags: pillar }));

const page = readFileSync(path.join(import.meta.dirname, '../../../docs/selectors.md'), 'utf8');

/** A case with none of these tags must agree. */
const mayDiffer = /^(?:ours:.+|quirk:.+|regex-.+|minion-master-disagree)$/u;

/** Cases of each class that differ today. A count may only change together with docs/selectors.md. */
const differing = {
  'minion-master-disagree': 10,
  'ours:any-depth': 1,
  'ours:attached-parentheses': 2,
  'ours:empty-parentheses': 5,
  'ours:empty-pattern': 5,
  'ours:empty-value': 14,
  'ours:key-wildcard': 3,
  'ours:refused': 53,
  'ours:unknown-engine': 10,
  'quirk:J-ignores-delimiter': 1,
  'quirk:regex-pattern-lowercased': 3,
  'regex-invalid-but-unreached': 2,
  'regex-js-differs': 1,
  'regex-js-only': 1,
  'regex-py-only': 1,
};

/** Cases that differ by design but carry no tag of a class. */
const untagged: Record<number, string> = {
  168: 'lookahead: regexes run in linear time',
  169: 'lookahead: regexes run in linear time',
  372: 'wildcards work on keys, also on the last one',
  435: 'the grain is 37.0 for Python, and 37 in JSON',
  698: 'wildcard levels work with every delimiter',
  700: 'wildcard levels work with every delimiter',
  822: 'lookahead: regexes run in linear time',
  823: 'lookahead: regexes run in linear time',
  978: 'addresses are compared as addresses, not as parts of a text',
  979: 'addresses are compared as addresses, not as parts of a text',
  1001: 'the address of the device is normalised too',
  1010: 'the address of the device is normalised too',
  1081: 'a list that names nobody is malformed',
  1211: 'a delimiter is one character',
  1216: 'wildcard levels work with every delimiter',
  1313: 'two terms without operator are malformed whatever the devices are',
  1348: 'a list that names nobody is malformed',
  1511: 'a list that names nobody is malformed',
  1513: 'a list that names nobody is malformed, also under not',
};

const refused = 'refused';
type Verdict = string[] | typeof refused;

describe("Salt's own verdicts", () => {
  const outcomes = vectors.cases.map((vector) => {
    const text = translate(vector);
    return text === undefined ? undefined : { vector, text, salt: saltVerdict(vector), ours: ourVerdict(text) };
  });
  const compared = outcomes.filter((outcome) => outcome !== undefined);
  const different = compared.filter(({ salt, ours }) => JSON.stringify(salt) !== JSON.stringify(ours));

  it('cover all but named groups and the exact pillar match, which are not in the language', () => {
    const left = vectors.cases.filter((vector) => translate(vector) === undefined);
    expect(left.every(({ kind, expr }) => kind === 'pillar_exact' || kind === 'nodegroup' || expr.includes('N@'))).toBe(
      true,
    );
    expect([compared.length, left.length]).toEqual([1084, 36]);
  });

  it('are ours, except in the known cases that carry no tag', () => {
    const found = different.filter(({ vector }) => classesOf(vector).length === 0);
    expect(found.map(({ vector }) => vector.n)).toEqual(Object.keys(untagged).map(Number));
  });

  it('are ours, except for a known count in each class', () => {
    const counts: Record<string, number> = {};
    for (const { vector } of different) for (const tag of classesOf(vector)) counts[tag] = (counts[tag] ?? 0) + 1;
    expect(counts).toEqual(differing);
  });

  it.each(Object.entries(differing))('differ in the class %s as docs/selectors.md counts it', (tag, count) => {
    expect(page).toContain(`| \`${tag}\` | ${count} |`);
  });

  it('never were a refusal that we answer by a match, unless attached parentheses are the reason', () => {
    const laxer = different.filter(({ salt, ours }) => salt === refused && ours !== refused);
    expect(laxer.map(({ text }) => text)).toEqual(['( web-* or db*)', '(web-* or db* )', 'web-* and(not db*)']);
  });
});

function classesOf(vector: SaltCase): string[] {
  return (vector.tags ?? []).filter((tag) => mayDiffer.test(tag));
}

function saltVerdict({ match }: SaltCase): Verdict {
  return match === undefined
    ? refused
    : match.toSorted((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right)));
}

function ourVerdict(text: string): Verdict {
  try {
    return selectIds(parseSelector(text), fleet, nowMs);
  } catch (error) {
    if (error instanceof FlotillaError && error.fault === 'usage' && error.detail.position !== undefined)
      return refused;
    throw error;
  }
}

/** Salt has a command-line flag for each kind; ours is one language, where odd characters are quoted. */
function translate(vector: SaltCase): string | undefined {
  const { kind, expr, delimiter = ':' } = vector;
  switch (kind) {
    case 'glob':
      return quoted(plainBackslashes(expr));
    case 'pcre':
      return `E@${expr === '' ? '' : quoted(expr)}`;
    case 'list':
      return `L@${saltList(expr).join(',')}`;
    case 'ipcidr':
      return `S@${quoted(expr)}`;
    case 'grain':
      return fact('G', expr, delimiter, plainBackslashes);
    case 'pillar':
      return fact('I', expr, delimiter, plainBackslashes);
    case 'grain_pcre':
      return fact('P', expr, delimiter, (part) => part);
    case 'pillar_pcre':
      return fact('J', expr, delimiter, (part) => part);
    case 'pillar_exact':
      return undefined;
    default: {
      const text = vector.sent ?? (kind === 'nodegroup' ? undefined : expr);
      return text === undefined || /(?:^|\s)N@/u.test(text) ? undefined : text;
    }
  }
}

/** `--list`: with a comma, blanks are dropped; without, they separate. */
function saltList(expr: string): string[] {
  const ids = expr.includes(',') ? expr.replaceAll(' ', '').split(',') : expr.split(/\s+/u);
  return ids.map((id) => (id === '' ? '' : quoted(plainBackslashes(id))));
}

/** Salt's `--delimiter` may be longer than one character; quoting the parts makes a colon do. */
function fact(letter: string, expr: string, delimiter: string, prepare: (part: string) => string): string {
  const parts = expr.split(delimiter).map((part) => (part === '' ? '' : quoted(prepare(part))));
  const ours = delimiter.length === 1 ? delimiter : ':';
  return `${letter}${ours === ':' ? '' : ours}@${parts.join(ours)}`;
}

function plainBackslashes(glob: string): string {
  return glob.replaceAll('\\', '\\\\');
}

function quoted(text: string): string {
  if (text === '') return '""';
  return text
    .split(/("+)/u)
    .filter((run) => run !== '')
    .map((run) => (run.startsWith('"') ? `'${run}'` : `"${run}"`))
    .join('');
}
