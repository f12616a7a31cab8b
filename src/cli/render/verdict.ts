import type { Verdict } from '../../pki/verify/verify.ts';
import { formatTime } from '../human.ts';
import { paint } from '../paint.ts';
import { printable } from '../printable.ts';
import type { TableOption } from '../table.ts';

/** The chain from the certificate upwards, with what is wrong below each; and one line that says it all. */
export function formatVerdict({ ok, atMs, purpose, chain, reasons }: Verdict, option: TableOption = {}): string {
  const color = option.color ?? false;
  const lines = chain.flatMap(({ depth, subject, trusted }) => [
    `${depth}  ${printable(subject) || '(empty subject)'}${trusted ? '  trusted' : ''}`,
    ...reasonLines(reasons.filter((reason) => reason.depth === depth)),
  ]);
  if (chain.length === 0) lines.push(...reasonLines(reasons));
  const use = purpose === undefined ? '' : ` as ${purpose}`;
  const word = ok ? paint('green', 'holds', color) : paint('red', 'does not hold', color);
  return `${lines.join('\n')}\n\n${word}${use} at ${formatTime(atMs)}\n`;

  function reasonLines(all: Verdict['reasons']): string[] {
    return all.map(({ code, text }) => `   ${paint('red', code, color)}  ${printable(text)}`);
  }
}
