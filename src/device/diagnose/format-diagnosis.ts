import { printableLine } from '../status/format-status.ts';
import type { Diagnosis } from './diagnose.ts';

/** A line for each finding, and the mend below it. */
export function formatDiagnosis({ findings }: Diagnosis): string {
  const width = Math.max(...findings.map(({ name }) => name.length));
  const lines = findings.map(({ name, verdict, detail, mend }) => {
    const line = `${verdict.padEnd(7)}  ${name.padEnd(width)}  ${printableLine(detail)}\n`;
    return mend === undefined ? line : `${line}${' '.repeat(width + 11)}mend: ${mend}\n`;
  });
  const count = (wanted: string) => findings.filter(({ verdict }) => verdict === wanted).length;
  const warnings = count('warn');
  return `${lines.join('')}${count('bad')} bad, ${warnings} ${warnings === 1 ? 'warning' : 'warnings'}\n`;
}
