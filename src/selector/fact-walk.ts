import type { FactPattern, KeyPattern } from './fact-pattern.ts';
import { isRecord, type FactRecord } from './fact-text.ts';
import { selectorLimit } from './limit.ts';

/** Told of every value that was compared, for `explain`. */
export type FactObserver = (path: readonly string[], value: unknown, isMatch: boolean) => void;

/**
 * Does a device's record hold the fact? Keys are followed down maps and lists; wherever the levels that are left may
 * be a value, they are tried as one, so that `mac:02:00` finds the key `mac` with the value `02:00`:
 * - a map has it when the last level names (or, as a glob, matches) one of its keys;
 * - a list has it when a member has it; a number steps into the member at that place, negative from the end;
 * - anything else is compared as text. A missing key, an empty map and an empty list have nothing, not even `*`.
 */
export function hasFact(record: FactRecord, pattern: FactPattern, nowMs: number, observe?: FactObserver): boolean {
  return new Walk(pattern, nowMs, observe).descend(record, 0, []);
}

class Walk {
  readonly #pattern: FactPattern;
  readonly #nowMs: number;
  readonly #observe: FactObserver | undefined;
  readonly #last: number;
  /** For ambiguous patterns: node to the levels that were followed from it. */
  readonly #tried = new Map<object, Set<number>>();

  constructor(pattern: FactPattern, nowMs: number, observe: FactObserver | undefined) {
    this.#pattern = pattern;
    this.#nowMs = nowMs;
    this.#observe = observe;
    this.#last = pattern.keys.length - 1;
  }

  /** Follows the key at `level` from a map or list. The last level is never a key to follow. */
  descend(node: unknown, level: number, path: readonly string[]): boolean {
    const key = this.#pattern.keys[level];
    if (key === undefined || level >= this.#last || this.#wasTried(node, level)) return false;
    if (key.kind === 'any-depth') return this.#anyDepth(node, level, path, selectorLimit.maxFactDepth);
    if (isRecord(node)) {
      if (key.kind === 'name') {
        const name = Object.hasOwn(node, key.name) ? key.name : key.trimmed;
        return Object.hasOwn(node, name) && this.#test(node[name], level + 1, this.#extend(path, name));
      }
      if (key.kind === 'any' && this.#skipAny(node, level, path)) return true;
      return Object.keys(node).some(
        (name) => nameMatches(key, name) && this.#test(node[name], level + 1, this.#extend(path, name)),
      );
    }
    if (!Array.isArray(node)) return false;
    const index = key.kind === 'name' ? key.index : undefined;
    if (index !== undefined) {
      const member: unknown = node.at(index);
      if (member !== undefined && this.#test(member, level + 1, this.#extend(path, String(index)))) return true;
    }
    return node.some(
      (member: unknown, at) => isRecord(member) && this.descend(member, level, this.#extend(path, String(at))),
    );
  }

  /** The node was reached by `level` keys: are the levels from there on its value, or do they lead further? */
  #test(node: unknown, level: number, path: readonly string[]): boolean {
    if (isRecord(node)) return this.#testRecord(node, level, path) || this.descend(node, level, path);
    if (!Array.isArray(node)) return this.#compare(node, level, path);
    for (const [at, member] of node.entries()) {
      const memberPath = this.#extend(path, String(at));
      if (isRecord(member) && this.#testRecord(member, level, memberPath)) return true;
      if (this.#compare(member, level, memberPath)) return true;
    }
    return this.descend(node, level, path);
  }

  #testRecord(node: FactRecord, level: number, path: readonly string[]): boolean {
    const key = this.#pattern.keys[level];
    const name = this.#pattern.names[level];
    if (key === undefined || name === undefined) return false;
    const names = Object.keys(node);
    const isMatch =
      level < this.#last
        ? Object.hasOwn(node, name)
        : key.kind === 'any' || key.kind === 'any-depth'
          ? names.length > 0
          : names.some((candidate) => nameMatches(key, candidate));
    if (level === this.#last || isMatch) this.#observe?.(path, node, isMatch);
    return isMatch;
  }

  #compare(value: unknown, level: number, path: readonly string[]): boolean {
    const matches = this.#pattern.values[level];
    if (matches === undefined || value === undefined) return false;
    const isMatch = matches(value, this.#nowMs);
    this.#observe?.(path, value, isMatch);
    return isMatch;
  }

  /** Paths are for the observer only; without one they cost nothing. */
  #extend(path: readonly string[], name: string): readonly string[] {
    return this.#observe === undefined ? path : [...path, name];
  }

  /** Salt's `*` is one key or none: `fw:*:version` also finds the key `version` of `fw` itself. */
  #skipAny(node: FactRecord, level: number, path: readonly string[]): boolean {
    const next = this.#pattern.keys[level + 1];
    // A glob after it tests values and deeper keys only, or `*:s*` would match whatever has a key with an s.
    if (next?.kind !== 'glob' && this.#testRecord(node, level + 1, path)) return true;
    return this.descend(node, level + 1, path);
  }

  /** `**` is no key at all, or one, or many. */
  #anyDepth(node: unknown, level: number, path: readonly string[], depthLeft: number): boolean {
    if (typeof node !== 'object' || node === null || depthLeft === 0) return false;
    if (this.descend(node, level + 1, path)) return true;
    return Object.entries(node).some(([name, value]: [string, unknown]) => {
      const valuePath = this.#extend(path, name);
      if (this.#test(value, level + 1, valuePath)) return true;
      return !this.#wasTried(value, level) && this.#anyDepth(value, level, valuePath, depthLeft - 1);
    });
  }

  #wasTried(node: unknown, level: number): boolean {
    if (!this.#pattern.isAmbiguous || typeof node !== 'object' || node === null) return false;
    const tried = this.#tried.get(node) ?? new Set();
    this.#tried.set(node, tried);
    return tried.size === tried.add(level).size;
  }
}

function nameMatches(key: KeyPattern, name: string): boolean {
  if (key.kind === 'name') return key.name === name;
  if (key.kind === 'glob') return key.source === name || key.matches(name);
  return key.kind !== 'none';
}
