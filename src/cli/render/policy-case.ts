import type { CaseResult, CasesReport } from '../run-policy-cases.ts';
import { formatDuration, plural } from '../human.ts';
import { paint } from '../paint.ts';
import { printable } from '../printable.ts';
import type { TableOption } from '../table.ts';
import { escapeHtml } from './escape-html.ts';
import { formatCounts } from './job.ts';

/** Each case with its verdict; of one that failed, what was expected and what came of it. */
export function formatCases({ cases, passed, failed }: CasesReport, option: TableOption = {}): string {
  const color = option.color ?? false;
  const lines = cases.flatMap((each) => [
    `${each.passed ? paint('green', 'passed', color) : paint('red', 'failed', color)}  ${printable(each.name)}\n`,
    ...(each.passed ? [] : explain(each)),
  ]);
  return `${lines.join('')}${plural(passed + failed, 'case')}: ${passed} passed, ${failed} failed\n`;
}

function explain(each: CaseResult): string[] {
  return [
    ...each.misses.map(
      ({ what, expected, seen }) => `        ${what}: expected ${printable(expected)}, seen ${printable(seen)}\n`,
    ),
    `        it was ${printable(sentenceOf(each))}\n`,
  ];
}

function sentenceOf({ outcome, touched, counts, durationSeconds, peakInFlight }: CaseResult): string {
  const after = formatDuration(durationSeconds * 1000);
  return `${outcome}; ${touched} offered (${formatCounts(counts)}), at most ${peakInFlight} at once, after ${after}`;
}

/** What CI servers read: a suite of the file, a case of each. */
export function formatJunit({ file, cases, failed }: CasesReport): string {
  const seconds = (ms: number): string => (ms / 1000).toFixed(3);
  const total = cases.reduce((sum, { tookMs }) => sum + tookMs, 0);
  const rows = cases.map((each) => {
    const head = `  <testcase classname="${escapeHtml(file)}" name="${escapeHtml(each.name)}" time="${seconds(each.tookMs)}"`;
    if (each.passed) return `${head}/>\n`;
    const message = each.misses.map(({ what, expected, seen }) => `${what}: expected ${expected}, seen ${seen}`);
    const text = escapeHtml([...message, `it was ${sentenceOf(each)}`].join('; '));
    return `${head}>\n    <failure message="${escapeHtml(message.join('; '))}">${text}</failure>\n  </testcase>\n`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuite name="${escapeHtml(file)}" tests="${cases.length}" failures="${failed}" errors="0" time="${seconds(total)}">\n${rows.join('')}</testsuite>\n`;
}
