import { nearest } from '../nearest.ts';
import type { ConfigProblem } from '../config/problem.ts';
import { readCsv } from './csv.ts';
import type { Cell, ManifestRow, ManifestShape } from './manifest-row.ts';

/** `id,serial,key,tag.ring,grain.site`, then a row a device. */
export function readCsvRows(source: string, shape: ManifestShape, problems: ConfigProblem[]): ManifestRow[] {
  const { rows, fault } = readCsv(source);
  if (fault !== undefined) {
    problems.push({ key: '', ...fault });
    return [];
  }
  const [head, ...body] = rows;
  if (head === undefined) return [];
  const names = head.map((cell) => ({ ...cell, text: cell.text.trim() }));
  for (const cell of names) checkColumn(cell, shape, problems);
  const twice = names.find(({ text }, index) => names.findIndex((other) => other.text === text) < index);
  if (twice !== undefined) {
    problems.push({ key: twice.text, line: twice.line, column: twice.column, message: `two columns ${twice.text}` });
  }
  if (!names.some(({ text }) => text === shape.required)) {
    problems.push({
      key: shape.required,
      line: 1,
      column: 1,
      message: `the heading has no column ${shape.required}`,
      expected: shape.columns.join(','),
    });
    return [];
  }
  return limit(body, shape, problems).map((cells) => {
    const [first] = cells;
    if (cells.length !== names.length && first !== undefined) {
      problems.push({
        key: '',
        line: first.line,
        column: first.column,
        message: 'the row has not as many cells as the heading',
        seen: `${cells.length} cells`,
        expected: `${names.length} cells`,
      });
    }
    return new Map(
      names.flatMap((name, index) => {
        const cell = cells[index];
        return cell === undefined ? [] : [[name.text, { ...cell, text: cell.text.trim(), name }] as const];
      }),
    );
  });
}

function limit<T extends readonly Cell[]>(
  rows: readonly T[],
  { maxRows }: ManifestShape,
  problems: ConfigProblem[],
): readonly T[] {
  if (rows.length <= maxRows) return rows;
  const at = rows[maxRows]?.[0] ?? { line: 1, column: 1 };
  const expected = `at most ${maxRows}; split the file`;
  problems.push({
    key: '',
    line: at.line,
    column: at.column,
    message: 'too many devices',
    seen: `${rows.length}`,
    expected,
  });
  return rows.slice(0, maxRows);
}

function checkColumn(cell: Cell, { columns }: ManifestShape, problems: ConfigProblem[]): void {
  const { text, line, column } = cell;
  if (columns.includes(text) || /^(tag|grain)\../.test(text)) return;
  const known = [...columns, 'tag.NAME', 'grain.NAME'];
  const near = nearest(text, columns);
  problems.push({
    key: text,
    line,
    column,
    message: `unknown column ${text || '(empty)'}`,
    expected: `one of ${known.join(', ')}`,
    ...(near === undefined ? {} : { suggestion: near }),
  });
}
