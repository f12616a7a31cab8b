import type { Why } from '../../client/contract/index.ts';
import { paint, styleOfState } from '../paint.ts';
import { printable } from '../printable.ts';
import type { TableOption } from '../table.ts';

/** Every rule in order with its verdict, then the conclusion. */
export function formatWhy(why: Why, option: TableOption = {}): string {
  const color = option.color ?? false;
  const width = Math.max(0, ...why.rules.map(({ rule }) => rule.length));
  const rules = why.rules.map(({ rule, verdict, detail }) => {
    const word = paint(styleOfState(verdict), verdict.padEnd(7), color);
    return `  ${word}  ${rule.padEnd(width)}  ${printable(detail)}\n`;
  });
  const about = why.rolloutId === undefined ? '' : ` in rollout ${why.rolloutId} of ${why.release ?? '?'}`;
  return `${why.deviceId}${about}\n${rules.join('')}${paint('bold', printable(why.conclusion), color)}\n`;
}
