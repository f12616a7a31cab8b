/** A product's own CI: selectors tried on a fleet in a file, without a coordinator, in one process. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { flotilla } from '../support/cli.ts';
import {
  countByClass,
  differences,
  differing,
  refused,
  saltFleet,
  saltGroups,
  translate,
  untagged,
  untaggedIn,
  vectors,
  type Verdict,
} from '../support/salt-vector.ts';
import { temporaryDirectory } from '../support/temporary.ts';

it('a fleet in a file gives the verdicts of Salt, but for the known classes', async () => {
  await using scratch = await temporaryDirectory();
  const fleet = join(scratch.path, 'fleet.json');
  await writeFile(fleet, JSON.stringify({ devices: saltFleet, groups: saltGroups }));
  // A line is one selector; outside quotes a line break is a blank like any other.
  const lineOf = (text: string): string => text.replaceAll(/[\r\n]/gu, ' ');
  const texts = vectors.cases.map((vector) => lineOf(translate(vector)));
  const ran = await flotilla(['select', 'match', '--fleet', fleet, '--expressions', '-', '--json'], {
    input: texts.map((text) => `${text}\n`).join(''),
  });
  expect([ran.exitCode, ran.stderr]).toEqual([2, '']);
  const rows = ran.rows<{
    expr: string;
    ids?: string[];
    error?: { code: string; message: string; position: object };
  }>();
  expect(rows.map(({ expr }) => expr)).toEqual(texts);
  for (const { ids, error } of rows) {
    if (ids === undefined) {
      expect(Object.keys(error ?? {})).toEqual(['code', 'message', 'position']);
      expect(error?.code).toMatch(/^selector-/u);
    }
  }
  const byText = new Map<string, Verdict>(rows.map(({ expr, ids }) => [expr, ids ?? refused]));
  const different = differences((text) => byText.get(lineOf(text)) ?? refused);
  expect(countByClass(different)).toEqual(differing);
  expect(untaggedIn(different)).toEqual(Object.keys(untagged).map(Number));
});
