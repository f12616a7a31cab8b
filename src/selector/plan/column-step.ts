import { DeviceSet } from './device-set.ts';
import type { Step } from './step.ts';
import type { ValueColumn } from './value-column.ts';

/** What of a column matches. */
export type ColumnTest = { column: ValueColumn; effort: number } & (
  | { kind: 'any' }
  /** These codes, and of the others those `among` that pass the test. */
  | { kind: 'codes'; codes: readonly number[]; test: ValueTest }
  | { kind: 'test'; test: ValueTest }
  /** By the code alone; as good as a verdict that is known. */
  | { kind: 'code'; test: (code: number) => boolean }
);

export type ValueTest = (value: unknown) => boolean;

/** Verdicts by code. */
const unknown = 0;
const no = 1;
const yes = 2;

/** Devices that match in one of the columns. A value is tried when the first device of the set has it, and then known. */
export function columnStep(tests: readonly ColumnTest[]): Step {
  let effort = 0;
  for (const test of tests) effort += test.effort;
  return {
    effort,
    select: (within) => {
      const found = DeviceSet.withRoom(within.words.length * 32);
      for (const test of tests) selectIn(test, within, found);
      return found;
    },
  };
}

function selectIn(test: ColumnTest, within: DeviceSet, found: DeviceSet): void {
  const { codes } = test.column;
  const matches = codeTest(test);
  if (codes.dense === undefined) {
    for (const [device, code] of codes.sparse) if (within.has(device) && matches(code)) found.add(device);
    return;
  }
  scanCodes(codes.dense, within.words, found.words, matches);
}

function scanCodes(
  codes: Uint32Array,
  within: Uint32Array,
  found: Uint32Array,
  matches: (code: number) => boolean,
): void {
  const words = Math.min(within.length, Math.ceil(codes.length / 32));
  for (let at = 0; at < words; at += 1) {
    // Devices that another column has found need no second look.
    let left = within[at]! & ~found[at]!;
    let hits = 0;
    while (left !== 0) {
      const bit = 31 - Math.clz32(left & -left);
      left &= left - 1;
      const code = codes[(at << 5) + bit] ?? 0;
      if (code !== 0 && matches(code)) hits |= 1 << bit;
    }
    found[at]! |= hits;
  }
}

function codeTest(test: ColumnTest): (code: number) => boolean {
  if (test.kind === 'any') return () => true;
  if (test.kind === 'code') return test.test;
  const { column } = test;
  const verdicts = new Uint8Array(column.codeRoom);
  if (test.kind === 'codes') {
    const [only] = test.codes;
    if (test.codes.length === 1 && column.composites.size === 0) return (code) => code === only;
    verdicts.fill(no);
    for (const code of column.composites) verdicts[code] = unknown;
    for (const code of test.codes) verdicts[code] = yes;
  }
  return (code) => {
    if (verdicts[code] === unknown) verdicts[code] = test.test(column.valueOf(code)) ? yes : no;
    return verdicts[code] === yes;
  };
}
