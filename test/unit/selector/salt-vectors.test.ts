import { readFileSync } from 'node:fs';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

import { FlotillaError } from '../../../src/error.ts';
import { parseSelector, selectIds } from '../../../src/selector/index.ts';
import {
  countByClass,
  differences,
  differing,
  refused,
  saltFleet,
  saltGroups,
  untagged,
  untaggedIn,
  vectors,
  type Verdict,
} from '../../support/salt-vector.ts';
import { groupsOf, nowMs } from './fleet.ts';

const page = readFileSync(path.join(import.meta.dirname, '../../../docs/selectors.md'), 'utf8');
const different = differences(ourVerdict);

describe("Salt's own verdicts", () => {
  it('are ours, except in the known cases that carry no tag', () => {
    expect(vectors.cases).toHaveLength(1_120);
    expect(untaggedIn(different)).toEqual(Object.keys(untagged).map(Number));
  });

  it('are ours, except for a known count in each class', () => {
    expect(countByClass(different)).toEqual(differing);
  });

  it.each(Object.entries(differing))('differ in the class %s as docs/selectors.md counts it', (tag, count) => {
    expect(page).toContain(`| \`${tag}\` | ${count} |`);
  });

  it('never were a refusal that we answer by a match, unless parentheses are the reason: attached ones, or those of a group', () => {
    const laxer = different.filter(({ salt, ours }) => salt === refused && ours !== refused);
    expect(laxer.map(({ text }) => text)).toEqual([
      '( web-* or db*)',
      '(web-* or db* )',
      'web-* and(not db*)',
      'not N@not_cams',
    ]);
  });
});

function ourVerdict(text: string): Verdict {
  try {
    return selectIds(parseSelector(text, groupsOf(saltGroups)), saltFleet, nowMs);
  } catch (error) {
    if (error instanceof FlotillaError && error.fault === 'usage' && error.detail.position !== undefined)
      return refused;
    throw error;
  }
}
