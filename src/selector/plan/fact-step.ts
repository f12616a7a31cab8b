import type { FactTerm } from '../ast.ts';
import type { Moment } from '../evaluate.ts';
import type { FactPattern, ValuePredicate } from '../fact-pattern.ts';
import type { FactRecord } from '../fact-text.ts';
import { hasFact } from '../fact-walk.ts';
import { escapeInGlob, literalOf } from '../glob.ts';
import { columnStep, type ColumnTest } from './column-step.ts';
import type { FactIndex, PathNode } from './fact-index.ts';
import { reachablePaths } from './reachable-path.ts';
import { testEffort, type Step } from './step.ts';
import type { ValueColumn } from './value-column.ts';

/**
 * Undefined for the patterns that a column alone cannot answer.
 * @param term where the pattern comes from, if it is of texts
 */
export function bindFact(index: FactIndex, fact: FactPattern, { nowMs }: Moment, term?: FactTerm): Step | undefined {
  // A name with blanks around it counts only where the same name without them is missing.
  if (fact.keys.some((key) => key.kind === 'name' && key.name !== key.trimmed)) return undefined;
  const tests: ColumnTest[] = [];
  for (const node of reachablePaths(index.root, fact)) {
    if (node.column === undefined) continue;
    const test = testOf(node, node.column, { fact, nowMs, term });
    if (test !== undefined) tests.push(test);
  }
  return columnStep(tests);
}

/**
 * What hasFact says of a path depends on its value in three ways at most, which hasFact itself tells when its tests of
 * values are replaced: not at all because the names are enough, not at all because nothing fits, or by what follows
 * from some of the tests.
 */
function testOf(
  { path }: PathNode,
  column: ValueColumn,
  { fact, nowMs, term }: { fact: FactPattern; nowMs: number; term: FactTerm | undefined },
): ColumnTest | undefined {
  const levels = new Set<number>();
  const asked = (level: number): ValuePredicate => {
    return () => {
      levels.add(level);
      return false;
    };
  };
  const recording = fact.values.map((value, level) => (value === undefined ? undefined : asked(level)));
  const probe = nest(path);
  if (hasFact(probe.record, { ...fact, values: recording }, nowMs)) return { kind: 'any', column, effort: 0 };
  const listEffort = column.composites.size * testEffort.walk;
  if (levels.size === 0 && column.composites.size === 0) return undefined;
  const test = (value: unknown): boolean => {
    if (typeof value !== 'object' || value === null) {
      for (const level of levels) if (fact.values[level]!(value, nowMs)) return true;
      return false;
    }
    probe.set(value);
    return hasFact(probe.record, fact, nowMs);
  };
  const literals = [...levels].map((level) => (term?.by === 'glob' ? literalValue(term, level) : undefined));
  if (literals.includes(undefined)) {
    const scalars = column.distinct - column.composites.size;
    return { kind: 'test', column, test, effort: listEffort + scalars * testEffort.text };
  }
  const codes = literals.flatMap((text) => column.codesOfText(text!));
  if (codes.length === 0 && column.composites.size === 0) return undefined;
  return { kind: 'codes', column, codes, test, effort: listEffort };
}

/** The only text that the levels from `level` on match, folded; undefined with wildcards. */
function literalValue({ levels, delimiter }: FactTerm, level: number): string | undefined {
  return literalOf(levels.slice(level).join(escapeInGlob(delimiter)).toLowerCase());
}

/** A record with this path alone. */
function nest(path: readonly string[]): { record: FactRecord; set(value: unknown): void } {
  const record: FactRecord = {};
  let holder = record;
  for (const name of path.slice(0, -1)) {
    const inner: FactRecord = {};
    define(holder, name, inner);
    holder = inner;
  }
  const last = path.at(-1)!;
  define(holder, last, '');
  return { record, set: (value) => define(holder, last, value) };
}

/** Also `__proto__` is a name like others. */
function define(record: FactRecord, name: string, value: unknown): void {
  Object.defineProperty(record, name, { value, enumerable: true, configurable: true, writable: true });
}
