import { displayWidth, printable, truncate } from './printable.ts';
import { paint, type Style } from './paint.ts';

export interface Column<Row> {
  title: string;
  value: (row: Row) => string | number | undefined;
  align?: 'left' | 'right';
  /** Given up first when the terminal is too narrow; without one a column is never cut. */
  shrink?: boolean;
  style?: (row: Row) => Style | undefined;
}

/** Where a table goes: `width` only on a terminal, so that a pipe or a file gets every character. */
export interface TableOption {
  width?: number | undefined;
  color?: boolean | undefined;
}

const gap = '  ';
const minShrunkWidth = 8;

/** Rows as aligned text with a heading, no trailing spaces, ending in a newline. */
export function formatTable<Row>(rows: readonly Row[], columns: Column<Row>[], option: TableOption = {}): string {
  const cells = rows.map((row) => columns.map((column) => printable(String(column.value(row) ?? '-'))));
  const widths = columns.map((column, index) =>
    Math.max(displayWidth(column.title), ...cells.map((line) => displayWidth(line[index] as string))),
  );
  if (option.width !== undefined) shrinkTo(option.width, widths, columns);

  const line = (values: string[], style: (index: number) => Style | undefined) =>
    values
      .map((value, index) => {
        const text = truncate(value, widths[index] as number);
        const padding = ' '.repeat((widths[index] as number) - displayWidth(text));
        const painted = paint(style(index), text, option.color ?? false);
        if (columns[index]?.align === 'right') return padding + painted;
        return index === values.length - 1 ? painted : painted + padding;
      })
      .join(gap)
      .trimEnd();

  const head = line(
    columns.map((column) => column.title),
    () => 'dim',
  );
  const body = rows.map((row, at) => line(cells[at] as string[], (index) => columns[index]?.style?.(row)));
  return `${[head, ...body].join('\n')}\n`;
}

function shrinkTo(width: number, widths: number[], columns: { shrink?: boolean }[]): void {
  const total = () => widths.reduce((sum, each) => sum + each, 0) + gap.length * (widths.length - 1);
  for (;;) {
    const over = total() - width;
    if (over <= 0) return;
    let widest = -1;
    for (const [index, column] of columns.entries()) {
      if (column.shrink && (widths[index] as number) > Math.max(minShrunkWidth, widths[widest] ?? 0)) widest = index;
    }
    if (widest < 0) return;
    widths[widest] = Math.max(minShrunkWidth, (widths[widest] as number) - Math.max(1, Math.ceil(over / 2)));
  }
}

/** `name: value` lines, aligned; members without a value are left out. */
export function formatFields(fields: Record<string, string | number | undefined>): string {
  const given = Object.entries(fields).filter((entry) => entry[1] !== undefined);
  const width = Math.max(0, ...given.map(([name]) => name.length + 1));
  return given.map(([name, value]) => `${`${name}:`.padEnd(width)}  ${printable(String(value))}\n`).join('');
}
