import type { ConfigProblem } from '../config/problem.ts';

/** Where a value stands, for what is said of it. */
export interface Cell {
  text: string;
  line: number;
  column: number;
}

/** A row before it is judged: its cells by column name, those of maps as `tag.ring`; and where each name stands. */
export type ManifestRow = Map<string, Cell & { name: Cell }>;

/** What a kind of manifest has. */
export interface ManifestShape {
  columns: readonly string[];
  /** Without it a row means nothing. */
  required: string;
  /** Columns whose value may stand once in a file. */
  unique: readonly string[];
  maxRows: number;
}

/** In YAML a map of these; in CSV a column for each name. */
export const mapColumns = { tag: 'tags', grain: 'grains' } as const;

const tagPattern = /^[a-z0-9][a-z0-9._-]{0,62}$/;
const grainPattern = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;
const maxValueLength = 256;

/** What is wrong with a cell; goes on. */
export type Wrong = (cell: Cell, key: string, message: string, expected: string) => void;

export function wrongInto(problems: ConfigProblem[]): Wrong {
  return ({ text, line, column }, key, message, expected) =>
    void problems.push({ key, line, column, message, seen: JSON.stringify(text), expected });
}

/** The columns `tag.NAME` and `grain.NAME` of a row. An empty cell is no value. */
export function readMaps(
  row: ManifestRow,
  wrong: Wrong,
): { tags: Record<string, string>; grains: Record<string, string> } {
  const result = { tags: {} as Record<string, string>, grains: {} as Record<string, string> };
  for (const [column, cell] of row) {
    const [kind, ...rest] = column.split('.');
    const name = rest.join('.');
    if (kind === 'tag') {
      if (!tagPattern.test(name)) wrong(cell.name, column, 'this is no tag', 'a-z 0-9 . _ -, at most 63');
      else if (fits(cell, column, wrong)) result.tags[name] = cell.text;
    } else if (kind === 'grain') {
      if (!grainPattern.test(name)) wrong(cell.name, column, 'this is no grain', 'a key such as site or os:version');
      else if (fits(cell, column, wrong)) result.grains[name] = cell.text;
    }
  }
  return result;
}

function fits(cell: Cell, column: string, wrong: Wrong): boolean {
  if (cell.text.length > maxValueLength) wrong(cell, column, 'the value is too long', `at most ${maxValueLength}`);
  return cell.text !== '' && cell.text.length <= maxValueLength;
}

/** `true`, `yes`, `1` and their opposites; an empty cell is no. */
export function readFlag(cell: Cell, column: string, wrong: Wrong): boolean {
  if (['true', 'yes', '1'].includes(cell.text)) return true;
  if (!['', 'false', 'no', '0'].includes(cell.text)) wrong(cell, column, `${column} is not valid`, 'true or false');
  return false;
}
