/** Verdicts of Salt 3006.0's own matchers, and how its expressions are written in our language. */
import { readFileSync } from 'node:fs';
import path from 'node:path';

import type { Target } from '../../src/selector/index.ts';

export interface SaltVectors {
  devices: { id: string; grains: Record<string, unknown>; pillar: Record<string, unknown> }[];
  nodegroups: Record<string, unknown>;
  cases: SaltCase[];
}

export interface SaltCase {
  n: number;
  kind: string;
  expr: string;
  delimiter?: string;
  match?: string[];
  tags?: string[];
}

const file = path.join(import.meta.dirname, '../vectors/selector/salt-selectors.json');
// The file is ours and its shape is asserted by every case.
// eslint-disable-next-line typescript/no-unsafe-type-assertion
export const vectors = JSON.parse(readFileSync(file, 'utf8')) as SaltVectors;
export const saltFleet: Target[] = vectors.devices.map(({ id, grains, pillar }) => ({ id, grains, tags: pillar }));

/** Salt's nodegroups. What is neither text nor list is left out, as Salt makes nothing of it. */
export const saltGroups: Record<string, string> = Object.fromEntries(
  Object.entries(vectors.nodegroups)
    .map(([name, definition]) => [name, groupText(definition)] as const)
    .filter((entry): entry is [string, string] => entry[1] !== undefined),
);

/** Without operator, star and engine a definition is a list of ids, or of regexes where it has their characters. */
function groupText(definition: unknown): string | undefined {
  if (typeof definition !== 'string' && !Array.isArray(definition)) return undefined;
  const words =
    typeof definition === 'string' ? definition.split(/\s+/u).filter((word) => word !== '') : definition.map(String);
  const isPlain = words.every((word) => !/[*@() ]/u.test(word) && !['and', 'or', 'not'].includes(word));
  if (!isPlain || words.length === 0) return typeof definition === 'string' ? definition : words.join(' ');
  return `${words.some((word) => /[[\]^$+?|\\{}]/u.test(word)) ? 'E' : 'L'}@${words.join(',')}`;
}

/** A case with none of these tags must agree. */
const mayDiffer = /^(?:ours:.+|quirk:.+|regex-.+|minion-master-disagree)$/u;

/** Cases of each class that differ today. A count may only change together with docs/selectors.md. */
export const differing = {
  'minion-master-disagree': 13,
  'ours:any-depth': 1,
  'ours:attached-parentheses': 2,
  'ours:empty-parentheses': 5,
  'ours:empty-pattern': 5,
  'ours:empty-value': 14,
  'ours:key-wildcard': 3,
  'ours:refused': 61,
  'ours:unknown-engine': 10,
  'quirk:J-ignores-delimiter': 1,
  'quirk:nodegroup-not-parenthesised': 7,
  'quirk:regex-pattern-lowercased': 3,
  'regex-invalid-but-unreached': 2,
  'regex-js-differs': 1,
  'regex-js-only': 1,
  'regex-py-only': 1,
};

/** Cases that differ by design but carry no tag of a class. */
export const untagged: Record<number, string> = {
  168: 'lookahead: regexes run in linear time',
  169: 'lookahead: regexes run in linear time',
  372: 'wildcards work on keys, also on the last one',
  435: 'the grain is 37.0 for Python, and 37 in JSON',
  698: 'wildcard levels work with every delimiter',
  700: 'wildcard levels work with every delimiter',
  822: 'lookahead: regexes run in linear time',
  823: 'lookahead: regexes run in linear time',
  952: 'a value was forgotten: the empty text is quoted',
  978: 'addresses are compared as addresses, not as parts of a text',
  979: 'addresses are compared as addresses, not as parts of a text',
  1001: 'the address of the device is normalised too',
  1010: 'the address of the device is normalised too',
  1081: 'a list that names nobody is malformed',
  1211: 'a delimiter is one character',
  1216: 'wildcard levels work with every delimiter',
  1313: 'two terms without operator are malformed whatever the devices are',
  1348: 'a list that names nobody is malformed',
  1511: 'a group of nothing is malformed',
  1513: 'a group of nothing is malformed, also under not',
  1517: 'a group is a part of its own: one that begins with an operator is malformed',
  1519: 'a group is a part of its own: one that ends with an operator is malformed',
  1544: 'a group is a part of its own, as if it stood in parentheses',
};

export const refused = 'refused';
export type Verdict = string[] | typeof refused;

export interface Difference {
  vector: SaltCase;
  text: string;
  salt: Verdict;
  ours: Verdict;
}

/** The cases on which `judge` and Salt do not agree. */
export function differences(judge: (text: string) => Verdict): Difference[] {
  return vectors.cases
    .map((vector) => {
      const text = translate(vector);
      return { vector, text, salt: saltVerdict(vector), ours: judge(text) };
    })
    .filter(({ salt, ours }) => JSON.stringify(salt) !== JSON.stringify(ours));
}

export function untaggedIn(different: readonly Difference[]): number[] {
  return different.filter(({ vector }) => classesOf(vector).length === 0).map(({ vector }) => vector.n);
}

export function countByClass(different: readonly Difference[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { vector } of different) for (const tag of classesOf(vector)) counts[tag] = (counts[tag] ?? 0) + 1;
  return counts;
}

function classesOf(vector: SaltCase): string[] {
  return (vector.tags ?? []).filter((tag) => mayDiffer.test(tag));
}

function saltVerdict({ match }: SaltCase): Verdict {
  return match === undefined
    ? refused
    : match.toSorted((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right)));
}

/** Salt has a command-line flag for each kind; ours is one language, where odd characters are quoted. */
export function translate(vector: SaltCase): string {
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
      return fact('I', expr, delimiter, plainBackslashes, (value) => value.replace(/[*?[]/gu, '\\$&'));
    case 'nodegroup':
      return `N@${expr}`;
    default:
      return expr;
  }
}

/** `--list`: with a comma, blanks are dropped; without, they separate. */
function saltList(expr: string): string[] {
  const ids = expr.includes(',') ? expr.replaceAll(' ', '').split(',') : expr.split(/\s+/u);
  return ids.map((id) => (id === '' ? '' : quoted(plainBackslashes(id))));
}

/** Salt's `--delimiter` may be longer than one character; quoting the parts makes a colon do. */
function fact(
  letter: string,
  expr: string,
  delimiter: string,
  prepare: (part: string) => string,
  prepareLast: (part: string) => string = (part) => part,
): string {
  const texts = expr.split(delimiter).map(prepare);
  const parts = texts
    .map((part, index) => (index === texts.length - 1 ? prepareLast(part) : part))
    .map((part) => (part === '' ? '' : quoted(part)));
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
