import type { ResultComparison, ResultGroup } from '../compare-results.ts';
import { textOf } from '../compare-results.ts';
import { plural } from '../human.ts';
import { paint, styleOfState } from '../paint.ts';
import { printable } from '../printable.ts';
import type { TableOption } from '../table.ts';

/** "9998 devices said …", then each smaller group as a unified diff against it. */
export function formatComparison({ devices, groups, more }: ResultComparison, option: TableOption = {}): string {
  if (groups.length === 0) return 'the job has no devices\n';
  const blocks = groups.map((group, at) => {
    const body = at === 0 ? bodyOf(textOf(group)) : bodyOf(groupDiff(group));
    return `${headOf(group, option)}\n${body}`;
  });
  if (more.groups > 0) blocks.push(`and ${plural(more.devices, 'device')} in ${more.groups} smaller groups\n`);
  if (groups.length === 1 && devices > 1) blocks.push('no difference\n');
  return blocks.join('\n');
}

function headOf({ count, outcome, exitCode, devices }: ResultGroup, { color = false }: TableOption): string {
  const how = paint(styleOfState(outcome), outcome, color);
  const code = exitCode === undefined || exitCode === 0 ? '' : ` (exit ${exitCode})`;
  const named = devices.length < count ? `${devices.join(', ')}, …` : devices.join(', ');
  return `${plural(count, 'device')}: ${how}${code}: ${named}`;
}

function groupDiff({ diff = [] }: ResultGroup): string {
  return diff.length === 0 ? '(the same output)' : diff.join('\n');
}

function bodyOf(text: string): string {
  const lines = printable(text.replaceAll('\r\n', '\n'), { keepNewlines: true }).replace(/\n+$/, '').split('\n');
  return lines.map((line) => (line === '' ? '\n' : `  ${line}\n`)).join('');
}
