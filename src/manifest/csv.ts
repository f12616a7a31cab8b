/** CSV as RFC 4180 has it, with the place of every cell: for tables that a person has written. */
export interface CsvCell {
  text: string;
  /** 1-based. */
  line: number;
  column: number;
}

/** Rows without the empty ones; or the first thing that is no CSV. Takes a byte order mark, `\n` and `\r\n`. */
export function readCsv(source: string): {
  rows: CsvCell[][];
  fault?: { line: number; column: number; message: string; expected: string };
} {
  const rows: CsvCell[][] = [];
  let row: CsvCell[] = [];
  let at = source.startsWith('\uFEFF') ? 1 : 0;
  let line = 1;
  let lineStart = at;
  const endRow = (): void => {
    if (row.length > 1 || row[0]?.text.trim()) rows.push(row);
    row = [];
  };
  while (at < source.length) {
    const cell: CsvCell = { text: '', line, column: at - lineStart + 1 };
    if (source[at] === '"') {
      const quoted = readQuoted(source, at);
      if (quoted === undefined) {
        const expected = 'a closing " ; a " inside is written ""';
        return { rows, fault: { line, column: cell.column, message: 'a quoted cell does not end', expected } };
      }
      cell.text = quoted.text;
      const breaks = source.slice(at, quoted.end).split('\n');
      if (breaks.length > 1) {
        line += breaks.length - 1;
        lineStart = quoted.end - breaks.at(-1)!.length;
      }
      at = quoted.end;
    } else {
      const end = source.slice(at).search(/[,\r\n]/);
      cell.text = end < 0 ? source.slice(at) : source.slice(at, at + end);
      at += cell.text.length;
    }
    row.push(cell);
    if (source[at] === ',') {
      at += 1;
      // A comma at the very end of a row stands before an empty cell.
      if (at >= source.length || /[\r\n]/.test(source[at]!)) row.push({ text: '', line, column: at - lineStart + 1 });
      else continue;
    }
    if (source[at] === '\r' && source[at + 1] === '\n') at += 1;
    if (at < source.length && source[at] !== '\n' && source[at] !== '\r') {
      const message = 'something stands behind a quoted cell';
      return { rows, fault: { line, column: at - lineStart + 1, message, expected: 'a comma or the end of the line' } };
    }
    at += 1;
    line += 1;
    lineStart = at;
    endRow();
  }
  endRow();
  return { rows };
}

function readQuoted(source: string, start: number): { text: string; end: number } | undefined {
  let text = '';
  for (let at = start + 1; ;) {
    const quote = source.indexOf('"', at);
    if (quote < 0) return undefined;
    text += source.slice(at, quote);
    if (source[quote + 1] !== '"') return { text, end: quote + 1 };
    text += '"';
    at = quote + 2;
  }
}
