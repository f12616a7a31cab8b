import { evaluateExpression } from '../config/expression.ts';
import { FlotillaError } from '../../error.ts';
import { blockBytes } from './block-range.ts';

/** Whole blocks in a size as the configuration language writes it: `4G`, `3800MB`, `7634944b`. */
export function parseDiskSize(text: string): number {
  const bytes = Number(evaluateExpression(text) ?? 0n);
  if (bytes >= blockBytes && Number.isSafeInteger(bytes)) return Math.floor(bytes / blockBytes);
  throw new FlotillaError('usage', 'firmware-disk-size-invalid', `'${text}' is not the size of a disk`, {
    expected: 'bytes with K, M, G (powers of 1024), kB, MB, GB (of 1000) or b (blocks of 512): 4G, 3800MB',
  });
}
