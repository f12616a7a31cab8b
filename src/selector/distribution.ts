import { FlotillaError } from '../error.ts';
import type { FactSource } from './ast.ts';
import type { Target } from './evaluate.ts';
import { readKey, type KeyPattern } from './fact-pattern.ts';
import { isRecord } from './fact-text.ts';
import { selectorLimit } from './limit.ts';
import { tokenize } from './lexer.ts';
import { levelsOf } from './term.ts';

/** A place in a device's facts: `G@`, `G@site`, `G@net:*:speed`. */
export interface FactPlace {
  from: FactSource;
  keys: readonly KeyPattern[];
}

/** What the devices hold at a place. */
export interface Distribution {
  devices: number;
  /** Devices with neither a value nor keys there. */
  missing: number;
  /** Different values, shown or not. */
  distinct: number;
  /** The most frequent first; a device counts once for each of its values. */
  values: { value: string | number | boolean | null; count: number }[];
  /** Keys that lead further down, the most frequent first. */
  keys: { key: string; count: number }[];
}

/** @throws FlotillaError `usage` for anything but the engine and keys of a fact */
export function parsePlace(text: string): FactPlace {
  const [word, end] = tokenize(text);
  const letter = word?.kind === 'word' ? word.prefix?.letter : undefined;
  if (word?.kind !== 'word' || end?.kind !== 'end' || (letter !== 'G' && letter !== 'I')) throw noPlace(text);
  const levels = word.characters.length === 0 ? [] : levelsOf(word);
  if (levels.includes('') || levels.includes('**') || levels.length > selectorLimit.maxFactLevels) throw noPlace(text);
  return { from: letter === 'G' ? 'grains' : 'tags', keys: levels.map(readKey) };
}

function noPlace(text: string): FlotillaError {
  return new FlotillaError('usage', 'selector-no-place', 'this names no grain and no tag', {
    seen: text,
    expected: 'an engine and keys: G@site, G@fw:version, G@net:*:speed, I@ring; G@ for the keys themselves',
    suggestion: 'flotilla select values G@',
  });
}

/** @param limit how many values, and how many keys, to show */
export function distributionOf(fleet: Iterable<Target>, { from, keys }: FactPlace, limit: number): Distribution {
  const values = new Map<string | number | boolean | null, number>();
  const further = new Map<string, number>();
  let devices = 0;
  let missing = 0;
  for (const target of fleet) {
    devices += 1;
    const found = new Found();
    collect(target[from], keys, 0, found);
    if (found.values.size === 0 && found.keys.size === 0) missing += 1;
    for (const value of found.values) values.set(value, (values.get(value) ?? 0) + 1);
    for (const key of found.keys) further.set(key, (further.get(key) ?? 0) + 1);
  }
  return {
    devices,
    missing,
    distinct: values.size,
    values: mostFrequent(values, limit).map(([value, count]) => ({ value, count })),
    keys: mostFrequent(further, limit).map(([key, count]) => ({ key, count })),
  };
}

class Found {
  readonly values = new Set<string | number | boolean | null>();
  readonly keys = new Set<string>();
}

/** Follows keys as selectors do: through maps, into every member of a list, to one member by its number. */
function collect(node: unknown, keys: readonly KeyPattern[], level: number, found: Found): void {
  const key = keys[level];
  if (Array.isArray(node)) {
    const index = key?.kind === 'name' ? key.index : undefined;
    if (index !== undefined) collect(node.at(index), keys, level + 1, found);
    for (const member of node) if (key === undefined || isRecord(member)) collect(member, keys, level, found);
  } else if (isRecord(node)) {
    for (const name of Object.keys(node)) {
      if (key === undefined) found.keys.add(name);
      else if (nameMatches(key, name)) collect(node[name], keys, level + 1, found);
    }
  } else if (key === undefined && isPlain(node)) found.values.add(node);
}

function nameMatches(key: KeyPattern, name: string): boolean {
  if (key.kind === 'name') return key.name === name;
  return key.kind === 'glob' ? key.matches(name) : key.kind === 'any';
}

function isPlain(node: unknown): node is string | number | boolean | null {
  return node === null || ['string', 'number', 'boolean'].includes(typeof node);
}

function mostFrequent<Key>(counts: ReadonlyMap<Key, number>, limit: number): [Key, number][] {
  return [...counts]
    .toSorted(([a, left], [b, right]) => right - left || (String(a) < String(b) ? -1 : 1))
    .slice(0, limit);
}
