import type { SelectorNode } from './ast.ts';
import { compileNode, type CompiledNode, type Predicate, type Target } from './evaluate.ts';
import { formatNode } from './format.ts';
import { parseExpression } from './parser.ts';

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
    this.#compiled ??= compileNode(this.root);
    return this.#compiled;
  }
}

/**
 * Parses an expression.
 * @throws FlotillaError `usage`, `selector-…`, with position, excerpt and suggestion, for anything malformed
 */
export function parseSelector(text: string): Selector {
  return new Selector(text, parseExpression(text));
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
export function matches(selector: Selector, target: Target): boolean {
  return selector.compiled.test(target);
}

/** Ids of the devices that match, sorted bytewise (UTF-8). */
export function selectIds(selector: Selector, fleet: Iterable<Target>): string[] {
  const { test } = selector.compiled;
  const ids: string[] = [];
  for (const target of fleet) if (test(target)) ids.push(target.id);
  return ids.toSorted(compareBytes);
}

/** UTF-8 order is code point order; UTF-16 order differs above U+FFFF. Legal ids are ASCII, where both are one. */
function compareBytes(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}
