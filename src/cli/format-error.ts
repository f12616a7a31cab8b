import type { FlotillaError } from '../error.ts';
import { printable } from './printable.ts';

/** What a person reads on stderr. What it quotes may come from a device or a broken file: no control characters. */
export function formatError(error: FlotillaError): string {
  const { position, excerpt, seen, expected, suggestion } = error.detail;
  const place = position ? `${position.file ? `${position.file}:` : ''}${position.line}:${position.column}: ` : '';
  const lines = [`Error: ${place}${error.message}`];
  if (excerpt) lines.push(...excerpt.split('\n').map((line) => `    ${line}`));
  if (seen !== undefined) lines.push(`  seen:     ${seen}`);
  if (expected !== undefined) lines.push(`  expected: ${expected}`);
  if (suggestion !== undefined) lines.push(`  try:      ${suggestion}`);
  if (error.fault === 'ours' && process.env['FLOTILLA_DEBUG'])
    lines.push(String((error.cause as Error)?.stack ?? error.stack));
  return `${printable(lines.join('\n'), { keepNewlines: true })}\n`;
}
