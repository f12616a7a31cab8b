import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ResultComparer } from '../../../src/cli/compare-results.ts';
import { formatCsvLine } from '../../../src/cli/format-csv.ts';
import { formatComparison } from '../../../src/cli/render/comparison.ts';
import { unifiedDiff } from '../../../src/cli/unified-diff.ts';
import type { DeviceResult } from '../../../src/client/contract/index.ts';

const result = (deviceId: string, stdout: string, over: Partial<DeviceResult> = {}): DeviceResult => ({
  deviceId,
  state: 'finished',
  outcome: 'succeeded',
  exitCode: 0,
  stdout,
  ...over,
});

/** What patch(1) makes of a diff. */
function applied(before: string, diff: readonly string[]): string {
  const lines = before === '' ? [] : before.replace(/\n$/, '').split('\n');
  const out: string[] = [];
  let at = 0;
  for (const line of diff) {
    const head = /^@@ -(\d+)(?:,(\d+))? /.exec(line);
    if (head !== null) {
      const from = Number(head[1]) - (head[2] === '0' ? 0 : 1);
      while (at < from) out.push(lines[at++]!);
    } else if (line.startsWith('+')) out.push(line.slice(1));
    else if (line.startsWith('-')) expect(lines[at++]).toBe(line.slice(1));
    else expect(out[out.push(lines[at++]!) - 1]).toBe(line.slice(1));
  }
  return [...out, ...lines.slice(at)].map((line) => `${line}\n`).join('');
}

describe('a unified diff', () => {
  it('leads from the one text to the other, whatever they are', () => {
    const text = fc
      .array(fc.constantFrom('a', 'b', 'c', ''), { maxLength: 14 })
      .map((lines) => lines.map((line) => `${line}\n`).join(''));
    fc.assert(
      fc.property(text, text, (before, after) => {
        const diff = unifiedDiff(before, after);
        expect(diff.length === 0).toBe(before === after);
        expect(applied(before, diff)).toBe(after);
      }),
      { numRuns: 500, seed: 3 },
    );
  });

  it('shows three lines around a change', () => {
    const before = Array.from({ length: 20 }, (_, at) => `line ${at}\n`).join('');
    expect(unifiedDiff(before, before.replace('line 9\n', 'other\n'))).toEqual([
      '@@ -7,7 +7,7 @@',
      ' line 6',
      ' line 7',
      ' line 8',
      '-line 9',
      '+other',
      ' line 10',
      ' line 11',
      ' line 12',
    ]);
  });
});

describe('comparing results', () => {
  it('shows the largest group whole and the others against it', () => {
    const comparer = new ResultComparer();
    for (let n = 0; n < 30; n += 1) comparer.add(result(`gw-${n}`, 'PermitRootLogin no\n'));
    comparer.add(result('odd', 'PermitRootLogin yes\n'));
    comparer.add(result('bad', '', { outcome: 'failed', exitCode: 2, stderr: 'no such file\n' }));
    const comparison = comparer.compare('j-1', 2);
    expect(comparison).toMatchObject({ devices: 32, more: { groups: 1, devices: 1 } });
    expect(comparison.groups[0]!.devices).toHaveLength(20); // of 30
    expect(formatComparison(comparison)).toContain(
      '1 device: succeeded: odd\n  @@ -1 +1 @@\n  -PermitRootLogin no\n  +PermitRootLogin yes\n',
    );
    expect(formatComparison(comparer.compare('j-1', 10))).toContain('+! no such file');
  });
});

describe('a line of CSV', () => {
  it('quotes what a reader would take for a field or a line of its own', () => {
    expect(formatCsvLine(['a', 1, undefined, 'x,"y"\n'])).toBe('a,1,,"x,""y""\n"\r\n');
  });
});
