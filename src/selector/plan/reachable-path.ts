import type { FactPattern, KeyPattern } from '../fact-pattern.ts';
import type { PathNode } from './fact-index.ts';

/**
 * The places that a pattern may have a say about: all that it can lead to, and perhaps more, never less. Follows the
 * names of the fleet and the levels of the pattern side by side, so a term costs as many names as it means.
 */
export function* reachablePaths(root: PathNode, pattern: FactPattern): Generator<PathNode> {
  yield* below(root, pattern, withSkipped(pattern, new Set([0])));
}

function* below(node: PathNode, pattern: FactPattern, levels: ReadonlySet<number>): Generator<PathNode> {
  for (const child of childrenAt(node, pattern, levels)) {
    const name = child.path.at(-1)!;
    if (isNamed(pattern, levels, name)) {
      yield* everything(child);
      continue;
    }
    const next = new Set<number>();
    for (const level of levels) {
      const key = pattern.keys[level];
      if (key?.kind === 'any-depth') next.add(level);
      if (key !== undefined && follows(key, name)) next.add(level + 1);
    }
    if (next.size === 0) continue;
    yield child;
    yield* below(child, pattern, withSkipped(pattern, next));
  }
}

function* everything(node: PathNode): Generator<PathNode> {
  yield node;
  for (const child of node.children.values()) yield* everything(child);
}

/** With plain names only, no child has to be tried. */
function childrenAt(node: PathNode, pattern: FactPattern, levels: ReadonlySet<number>): Iterable<PathNode> {
  const names = new Set<string>();
  for (const level of levels) {
    const key = pattern.keys[level];
    if (key === undefined || key.kind === 'none') continue;
    if (key.kind !== 'name') return node.children.values();
    names.add(key.name).add(pattern.names[level] ?? key.name);
  }
  return [...names].flatMap((name) => node.children.get(name) ?? []);
}

/** The rest of the pattern may be the name of a key, and then whatever stands under it is meant. */
function isNamed(pattern: FactPattern, levels: ReadonlySet<number>, name: string): boolean {
  const last = pattern.keys.length - 1;
  for (const level of levels) {
    if (level > 0 && pattern.names[level] === name) return true;
    if (level === last && follows(pattern.keys[level]!, name)) return true;
  }
  return false;
}

function follows(key: KeyPattern, name: string): boolean {
  if (key.kind === 'name') return key.name === name;
  if (key.kind === 'glob') return key.source === name || key.matches(name);
  return key.kind !== 'none';
}

/** `*` and `**` may stand for no key. */
function withSkipped(pattern: FactPattern, levels: Set<number>): ReadonlySet<number> {
  // A set is walked in the order of insertion, so what is added here is walked too.
  for (const level of levels) {
    const kind = pattern.keys[level]?.kind;
    if (kind === 'any' || kind === 'any-depth') levels.add(level + 1);
  }
  return levels;
}
