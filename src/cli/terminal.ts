import type { TableOption } from './table.ts';

/** How stdout wants its tables: cut to the width and in colour on a terminal, whole and plain anywhere else. */
export function stdoutOption(stream: NodeJS.WriteStream = process.stdout): TableOption {
  if (!stream.isTTY) return {};
  const color = !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb';
  return { width: stream.columns, color };
}
