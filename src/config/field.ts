/**
 * Readers of YAML values: each turns a node into a checked value, or reports what is wrong with its place and goes on,
 * so that one reading of a file tells every problem.
 */
import { type Document, type LineCounter, type Node, isAlias, isMap, isScalar, isSeq } from 'yaml';
import { nearest } from '../nearest.ts';
import type { ConfigProblem } from './problem.ts';

/** One reading of one file. */
export interface Reading {
  document: Document;
  lines: LineCounter;
  problems: ConfigProblem[];
}

/** Reads the node at the dotted path `key`; undefined means that a problem was reported. */
export type Field<T> = (node: Node, key: string, reading: Reading) => T | undefined;

type Found = Omit<ConfigProblem, 'key' | 'line' | 'column'>;

export function report(reading: Reading, node: Node | null | undefined, key: string, problem: Found): undefined {
  const { line, col } = reading.lines.linePos(node?.range?.[0] ?? 0);
  reading.problems.push({ key, line: Math.max(1, line), column: Math.max(1, col), ...problem });
  return undefined;
}

export interface TextRule {
  pattern?: RegExp;
  /** What the pattern means, for a person. */
  expected?: string;
  maxLength?: number;
}

export function text({ pattern, expected = 'text', maxLength = 4096 }: TextRule = {}): Field<string> {
  return (node, key, reading) => {
    const value = scalarOf(node);
    if (typeof value === 'number' || typeof value === 'boolean') {
      const quoted = isScalar(node) ? (node.source ?? String(value)) : String(value);
      const suggestion = `write it in quotes: "${quoted}"`;
      return report(reading, node, key, { message: `${key} must be text`, seen: show(node), expected, suggestion });
    }
    const accepted =
      typeof value === 'string' && value !== '' && value.length <= maxLength && (pattern?.test(value) ?? true);
    if (accepted) return value;
    return report(reading, node, key, { message: `${key} is not valid`, seen: show(node), expected });
  };
}

export function integer(option: { min: number; max: number; unit?: string }): Field<number> {
  const { min, max, unit } = option;
  const expected = `a whole number${unit ? ` of ${unit}` : ''} from ${min} to ${max}`;
  return (node, key, reading) => {
    const value = scalarOf(node);
    if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max) return value as number;
    return report(reading, node, key, { message: `${key} is not valid`, seen: show(node), expected });
  };
}

export function number({ min, max }: { min: number; max: number }): Field<number> {
  return (node, key, reading) => {
    const value = scalarOf(node);
    if (typeof value === 'number' && value >= min && value <= max) return value;
    const expected = `a number from ${min} to ${max}`;
    return report(reading, node, key, { message: `${key} is not valid`, seen: show(node), expected });
  };
}

export function boolean(): Field<boolean> {
  return (node, key, reading) => {
    const value = scalarOf(node);
    if (typeof value === 'boolean') return value;
    return report(reading, node, key, { message: `${key} is not valid`, seen: show(node), expected: 'true or false' });
  };
}

export function choice<const T extends string>(choices: readonly T[]): Field<T> {
  return (node, key, reading) => {
    const value = scalarOf(node);
    const found = choices.find((one) => one === value);
    if (found !== undefined) return found;
    const near = typeof value === 'string' ? nearest(value, choices) : undefined;
    return report(reading, node, key, {
      message: `${key} is not valid`,
      seen: show(node),
      expected: choices.join(', '),
      ...(near === undefined ? {} : { suggestion: near }),
    });
  };
}

export function either<A, B>(isFirst: (value: unknown) => boolean, first: Field<A>, second: Field<B>): Field<A | B> {
  return (node, key, reading) => (isFirst(scalarOf(node)) ? first(node, key, reading) : second(node, key, reading));
}

/** A map whose key `tag` says which of several it is: `fallback` where the key is absent. */
export function tagged<T extends object>(tag: string, fallback: string, kinds: Record<string, Field<T>>): Field<T> {
  const known = choice(Object.keys(kinds));
  return (node, key, reading) => {
    const named = isMap(node) ? node.items.find((pair) => scalarOf(pair.key) === tag) : undefined;
    if (named === undefined) return kinds[fallback]!(node, key, reading);
    const kind = readNode(known, named.value as Node | null, `${key}.${tag}`, reading, named.key as Node);
    return kind === undefined ? undefined : kinds[kind]!(node, key, reading);
  };
}

export function list<T>(item: Field<T>, { min = 0, max = 256 }: { min?: number; max?: number } = {}): Field<T[]> {
  return (node, key, reading) => {
    const expected = `a list of ${min} to ${max} items`;
    if (!isSeq(node)) {
      return report(reading, node, key, { message: `${key} must be a list`, seen: show(node), expected });
    }
    if (node.items.length < min || node.items.length > max) {
      const seen = `${node.items.length} items`;
      return report(reading, node, key, { message: `${key} has too few or too many items`, seen, expected });
    }
    const values = node.items.map((entry, index) => readNode(item, entry as Node, `${key}[${index}]`, reading, node));
    return values.every((value) => value !== undefined) ? values : undefined;
  };
}

/** Adds a rule that spans values; `rule` returns the problem, or undefined when all is well. */
export function check<T>(field: Field<T>, rule: (value: T, key: string) => Found | undefined): Field<T> {
  return (node, key, reading) => {
    const value = field(node, key, reading);
    const problem = value === undefined ? undefined : rule(value, key);
    return problem ? report(reading, node, key, problem) : value;
  };
}

type OptionalKey<T> = { [K in keyof T]-?: undefined extends T[K] ? K : never }[keyof T] & string;

/**
 * A map with known keys. An absent key takes its default; one that has none is a problem unless the interface says
 * that it may be left out. Unknown keys are problems, with the nearest known one as suggestion.
 */
export function record<T extends object>(
  fields: { [K in keyof T]-?: Field<Exclude<T[K], undefined>> },
  defaults: Partial<T>,
  optional: readonly OptionalKey<T>[] = [],
): Field<T> {
  const known = Object.keys(fields);
  return (node, key, reading) => {
    if (!isMap(node)) {
      const expected = `keys such as ${known.slice(0, 3).join(', ')}`;
      return report(reading, node, key, { message: `${key || 'the file'} must be a map`, seen: show(node), expected });
    }
    const before = reading.problems.length;
    const result: Record<string, unknown> = {};
    const present = new Set<string>();
    for (const pair of node.items) {
      const keyValue = scalarOf(pair.key);
      const name = typeof keyValue === 'string' ? keyValue : show(pair.key as Node);
      const path = key ? `${key}.${name}` : name;
      const field = Object.hasOwn(fields, name) ? fields[name as keyof T] : undefined;
      if (!field) {
        const near = nearest(name, known);
        report(reading, pair.key as Node, path, {
          message: `unknown key ${path}`,
          expected: `one of ${known.join(', ')}`,
          ...(near === undefined ? {} : { suggestion: near }),
        });
        continue;
      }
      present.add(name);
      // A map all of whose lines are commented out reads as null: the defaults hold.
      if (isEmpty(pair.value as Node | null) && isPlainMap(defaults[name as keyof T]))
        result[name] = structuredClone(defaults[name as keyof T]);
      else result[name] = readNode(field as Field<unknown>, pair.value as Node | null, path, reading, pair.key as Node);
    }
    for (const name of known) {
      if (present.has(name)) continue;
      if (Object.hasOwn(defaults, name)) result[name] = structuredClone(defaults[name as keyof T]);
      else if (!(optional as readonly string[]).includes(name)) {
        const path = key ? `${key}.${name}` : name;
        report(reading, node, path, { message: `${path} is missing`, expected: `a value for ${path}` });
      }
    }
    return reading.problems.length === before ? (result as T) : undefined;
  };
}

/** A map whose keys the file's author chooses; each value is read by `value`. */
export function mapOf<T>(
  name: TextRule,
  value: Field<T>,
  { max = 256 }: { max?: number } = {},
): Field<Record<string, T>> {
  const { pattern, expected = 'a name', maxLength = 128 } = name;
  return (node, key, reading) => {
    if (!isMap(node)) {
      return report(reading, node, key, {
        message: `${key} must be a map`,
        seen: show(node),
        expected: `${expected} as key`,
      });
    }
    if (node.items.length > max) {
      const seen = `${node.items.length} entries`;
      return report(reading, node, key, { message: `${key} has too many entries`, seen, expected: `at most ${max}` });
    }
    const before = reading.problems.length;
    const result: Record<string, T> = {};
    for (const pair of node.items) {
      const entry = scalarOf(pair.key);
      const path = `${key}.${typeof entry === 'string' ? entry : show(pair.key as Node)}`;
      if (typeof entry !== 'string' || entry.length > maxLength || pattern?.test(entry) === false) {
        report(reading, pair.key as Node, path, {
          message: `${path} is not valid`,
          seen: show(pair.key as Node),
          expected,
        });
        continue;
      }
      const read = readNode(value, pair.value as Node | null, path, reading, pair.key as Node);
      if (read !== undefined) result[entry] = read;
    }
    return reading.problems.length === before ? result : undefined;
  };
}

function readNode<T>(field: Field<T>, node: Node | null, key: string, reading: Reading, parent: Node): T | undefined {
  const resolved = isAlias(node) ? node.resolve(reading.document) : node;
  if (isEmpty(resolved)) return report(reading, node ?? parent, key, { message: `${key} has no value` });
  return field(resolved as Node, key, reading);
}

function isEmpty(node: Node | null | undefined): boolean {
  return node === null || node === undefined || (isScalar(node) && node.value === null);
}

function isPlainMap(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function scalarOf(node: unknown): unknown {
  return isScalar(node) ? node.value : undefined;
}

function show(node: Node): string {
  if (isMap(node)) return 'a map';
  if (isSeq(node)) return 'a list';
  return JSON.stringify(scalarOf(node))?.slice(0, 80) ?? 'nothing';
}
