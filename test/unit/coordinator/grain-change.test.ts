import fc from 'fast-check';
import { expect, it } from 'vitest';
import { changeOf } from '../../../src/agent/grain/grain-change.ts';
import { applyChange } from '../../../src/coordinator/core/grain-operation.ts';
import { grainDigest } from '../../../src/protocol/grain-digest.ts';

const name = fc.constantFrom('os', 'site', 'fw', '__proto__', 'constructor', '', 'é', '0');
/** As JSON.parse makes it. */
const grains = fc
  .dictionary(name, fc.jsonValue({ maxDepth: 3 }))
  .map((record) => JSON.parse(JSON.stringify(record)) as Record<string, unknown>);
const travel = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

it('makes the set after of the set before, also over the wire, and names both whatever the order of names', () => {
  const property = fc.property(grains, grains, (before, after) => {
    const change = travel(changeOf(before, after));
    expect(applyChange(before, change)).toEqual(after);
    const reversed = Object.fromEntries(Object.entries(before).toReversed());
    expect(applyChange(reversed, change)).toEqual(after);
  });
  fc.assert(property, { numRuns: 300 });
});

it('changes nothing of another set than the one it was made from', () => {
  const property = fc.property(grains, grains, grains, (before, after, other) => {
    fc.pre(grainDigest(before) !== grainDigest(other));
    expect(applyChange(other, changeOf(before, after))).toBeUndefined();
  });
  fc.assert(property, { numRuns: 300 });
});

it('is refused when what comes out is not the set that was meant', () => {
  const change = changeOf({ os: 'linux' }, { os: 'linux', site: 'fra' });
  expect(applyChange({ os: 'linux' }, { ...change, set: { site: 'zrh' } })).toBeUndefined();
});

it('has no name for what is nested too deep to be printed', () => {
  let deep: unknown = 1;
  for (let level = 0; level < 100_000; level += 1) deep = [deep];
  expect(applyChange({ deep }, changeOf({}, { os: 'linux' }))).toBeUndefined();
});
