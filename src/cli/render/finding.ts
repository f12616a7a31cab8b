import type { Finding } from '../doctor/finding.ts';
import { paint, styleOfState } from '../paint.ts';
import type { TableOption } from '../table.ts';
import { printable } from '../printable.ts';

/** A line for each finding, the mend below it, and the count of what is wrong. */
export function formatFindings(findings: readonly Finding[], option: TableOption = {}): string {
  const width = Math.max(0, ...findings.map(({ id }) => id.length));
  const indent = ' '.repeat(6 + width + 2);
  const lines = findings.map(({ id, verdict, seen, expected, mend }) => {
    const word = paint(styleOfState(verdict), verdict.padEnd(4), option.color ?? false);
    const line = `${word}  ${id.padEnd(width)}  ${printable(seen)}${expected === undefined ? '' : `; expected: ${printable(expected)}`}\n`;
    return mend === undefined ? line : `${line}${indent}mend: ${printable(mend)}\n`;
  });
  const count = (wanted: Finding['verdict']) => findings.filter(({ verdict }) => verdict === wanted).length;
  const [wrong, doubtful] = [count('fail'), count('warn')];
  const summary =
    wrong + doubtful === 0 ? 'all well' : `${wrong} failed, ${doubtful} warning${doubtful === 1 ? '' : 's'}`;
  return `${lines.join('')}${summary}\n`;
}
