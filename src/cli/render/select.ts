import type { SelectExplanation, SelectMatch } from '../../client/contract/index.ts';
import { plural } from '../human.ts';
import { paint, type Style } from '../paint.ts';
import { printable } from '../printable.ts';
import type { TableOption } from '../table.ts';

export function formatMatch({ ids, count }: SelectMatch): string {
  return `${ids.map((id) => `${id}\n`).join('')}${plural(count, 'device')}\n`;
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
