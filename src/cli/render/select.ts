import type { SelectExplanation, SelectMatch, SelectValues } from '../../client/contract/index.ts';
import { plural } from '../human.ts';
import { paint, type Style } from '../paint.ts';
import { printable } from '../printable.ts';
import type { ExpressionRow } from '../select/match-expressions.ts';
import { formatTable, type TableOption } from '../table.ts';

export function formatMatch({ ids, count }: SelectMatch): string {
  return `${ids.map((id) => `${id}\n`).join('')}${plural(count, 'device')}\n`;
}

/** `12  G@site:harbour`, or what is wrong with it. */
export function formatExpressionRow(row: ExpressionRow): string {
  if ('ids' in row) return `${String(row.ids.length).padStart(6)}  ${printable(row.expr)}`;
  const { message, position } = row.error;
  const place = position === undefined ? '' : `${position.line}:${position.column}: `;
  return `     !  ${printable(row.expr)}  (${place}${printable(message)})`;
}

export function formatValues({ devices, missing, distinct, values, keys }: SelectValues, option: TableOption): string {
  const tables = [
    values.length === 0
      ? ''
      : formatTable(
          values,
          [
            { title: 'VALUE', value: ({ value }) => (typeof value === 'string' ? value : JSON.stringify(value)) },
            { title: 'DEVICES', value: ({ count }) => count, align: 'right' },
          ],
          option,
        ),
    keys.length === 0
      ? ''
      : formatTable(
          keys,
          [
            { title: 'KEY', value: ({ key }) => key },
            { title: 'DEVICES', value: ({ count }) => count, align: 'right' },
          ],
          option,
        ),
  ].filter((table) => table !== '');
  const hidden = distinct > values.length ? ` (${distinct - values.length} more with --limit)` : '';
  const none = missing === 0 ? '' : `, ${missing} have none`;
  const what = distinct === 0 && keys.length > 0 ? plural(keys.length, 'key') : plural(distinct, 'value');
  const total = `${what}${hidden} on ${devices - missing} of ${plural(devices, 'device')}${none}\n`;
  return [...tables, total].join('\n');
}

/** The selector's tree with what each node matches, and for one device the verdict and why. */
export function formatExplanation(root: SelectExplanation, option: TableOption = {}): string {
  const lines: string[] = [];
  const walk = (node: SelectExplanation, indent: string, branch: string) => {
    const verdict = node.verdict === undefined ? '' : `${mark(node.verdict, option)} `;
    const reason = node.reason === undefined ? '' : `: ${printable(node.reason)}`;
    lines.push(`${indent}${branch}${verdict}${printable(node.text)}  (${plural(node.matched, 'device')})${reason}`);
    const deeper = indent + (branch === '' ? '' : branch === '└─ ' ? '   ' : '│  ');
    for (const [index, child] of node.children.entries()) {
      walk(child, deeper, index === node.children.length - 1 ? '└─ ' : '├─ ');
    }
  };
  walk(root, '', '');
  return `${lines.join('\n')}\n`;
}

function mark(verdict: boolean, option: TableOption): string {
  const style: Style = verdict ? 'green' : 'red';
  return paint(style, verdict ? '✓' : '✗', option.color ?? false);
}
