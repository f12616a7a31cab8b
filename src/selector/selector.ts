import type { SelectorNode } from './ast.ts';
import { compileTree, momentOf, type CompiledNode, type Moment, type Predicate, type Target } from './evaluate.ts';
import { formatNode } from './format.ts';
import { noGroups, parseWithGroups, type GroupSource } from './group.ts';

/** A parsed, valid expression. Compiled on first use, then kept. */
export class Selector {
  /** As it was written. */
  readonly text: string;
  readonly root: SelectorNode;
  #compiled: CompiledNode | undefined;

  constructor(text: string, root: SelectorNode) {
    this.text = text;
    this.root = root;
  }

  get compiled(): CompiledNode {
    this.#compiled ??= compileTree(this.root);
    return this.#compiled;
  }
}

/**
 * Parses an expression. The groups that it names are written out now: a later change of theirs does not reach it.
 * @throws FlotillaError `usage`, `selector-…`, with position, excerpt and suggestion, for anything malformed
 */
export function parseSelector(text: string, groups: GroupSource = noGroups): Selector {
  return new Selector(text, parseWithGroups(text, groups));
}

/**
 * The selector that a group of this name would stand for.
 * @throws FlotillaError as parseSelector, and for a group that leads back to itself
 */
export function parseGroup(name: string, text: string, groups: GroupSource): Selector {
  return new Selector(text, parseWithGroups(text, groups, name));
}

/** Canonical text: `parse(format(s))` has the tree of `s`. */
export function formatSelector(selector: Selector): string {
  return formatNode(selector.root);
}

/** The test of a selector, compiled once. */
export function compileSelector(selector: Selector): Predicate {
  return selector.compiled.test;
}

/** Never throws, whatever the device reports. */
export function matches(selector: Selector, target: Target, moment: Moment): boolean {
  return selector.compiled.test(target, moment);
}

/** Ids of the devices that match, sorted bytewise (UTF-8). */
export function selectIds(selector: Selector, fleet: Iterable<Target>, nowMs: number): string[] {
  const { test } = selector.compiled;
  const targets = Array.isArray(fleet) ? (fleet as readonly Target[]) : [...fleet];
  const moment = momentOf(nowMs, () => targets.map(({ id }) => id));
  const ids: string[] = [];
  for (const target of targets) if (test(target, moment)) ids.push(target.id);
  return ids.toSorted(compareBytes);
}

/** UTF-8 order is code point order; UTF-16 order differs above U+FFFF. Legal ids are ASCII, where both are one. */
function compareBytes(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}
