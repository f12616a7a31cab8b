import type { GrainsChangeEvent } from '../../protocol/event.ts';
import { canonicalJson, grainDigest, shortDigest } from '../../protocol/grain-digest.ts';
import type { Grains } from './machine-grain.ts';

/** What makes `after` of `before`, by top-level name: a change inside a map sends the map. */
export function changeOf(before: Grains, after: Grains): GrainsChangeEvent {
  const changed = Object.entries(after).filter(
    ([name, value]) => !Object.hasOwn(before, name) || canonicalJson(before[name]) !== canonicalJson(value),
  );
  return {
    base: shortDigest(grainDigest(before)),
    result: shortDigest(grainDigest(after)),
    set: Object.fromEntries(changed),
    unset: Object.keys(before).filter((name) => !Object.hasOwn(after, name)),
  };
}
