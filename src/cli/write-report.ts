import { writeFile } from 'node:fs/promises';
import { FlotillaError, systemErrorCode } from '../error.ts';

/** Rows as a file that a spreadsheet or a script reads: `*.csv`, anything else as JSON. */
export async function writeReport<Row>(
  file: string,
  rows: readonly Row[],
  columns: readonly (readonly [title: string, value: (row: Row) => string | number | undefined])[],
): Promise<void> {
  const text = /\.csv$/i.test(file)
    ? [columns.map(([title]) => title), ...rows.map((row) => columns.map(([, value]) => String(value(row) ?? '')))]
        .map((cells) => `${cells.map(quote).join(',')}\n`)
        .join('')
    : `${JSON.stringify(rows, undefined, 2)}\n`;
  try {
    await writeFile(file, text);
  } catch (cause) {
    throw new FlotillaError('failed', 'report-unwritable', `the report can't be written to ${file}`, {
      seen: systemErrorCode(cause) ?? String(cause),
      cause,
    });
  }
}

/** RFC 4180; a cell that a spreadsheet would take for a formula gets an apostrophe. */
function quote(cell: string): string {
  const safe = /^[=+\-@\t\r]/.test(cell) && !/^-?\d/.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
