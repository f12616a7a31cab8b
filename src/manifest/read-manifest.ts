import { ConfigError, type ConfigProblem } from '../config/problem.ts';
import { readCsvRows } from './csv-row.ts';
import { wrongInto, type ManifestRow, type ManifestShape, type Wrong } from './manifest-row.ts';
import { readYamlRows } from './yaml-row.ts';

/**
 * Reads `*.yaml` and `*.yml` as YAML, all else as CSV; `readEntry` makes of a row what it means.
 * @throws ConfigError with every problem of the file
 */
export function readManifest<T>(
  source: string,
  file: string,
  shape: ManifestShape,
  readEntry: (row: ManifestRow, wrong: Wrong) => T,
): T[] {
  const problems: ConfigProblem[] = [];
  const rows = /\.ya?ml$/i.test(file) ? readYamlRows(source, shape, problems) : readCsvRows(source, shape, problems);
  const entries = rows.map((row) => readEntry(row, wrongInto(problems)));
  findTwins(rows, shape, problems);
  if (rows.length === 0 && problems.length === 0) {
    problems.push({ key: '', line: 1, column: 1, message: 'the manifest names no device', expected: 'a row a device' });
  }
  if (problems.length > 0) throw new ConfigError(file, source, withoutRepeats(problems));
  return entries;
}

/** What is wrong with a column is wrong in every row. */
function withoutRepeats(problems: readonly ConfigProblem[]): ConfigProblem[] {
  const byPlace = new Map(problems.map((problem) => [`${problem.line}:${problem.column}:${problem.message}`, problem]));
  return [...byPlace.values()];
}

/** Two rows must not speak of one device. */
function findTwins(rows: readonly ManifestRow[], { unique }: ManifestShape, problems: ConfigProblem[]): void {
  for (const field of unique) {
    const seen = new Map<string, number>();
    for (const row of rows) {
      const cell = row.get(field);
      if (cell === undefined || cell.text === '') continue;
      const value = cell.text.toLowerCase();
      const first = seen.get(value);
      if (first === undefined) seen.set(value, cell.line);
      else {
        const message = `${field} stands here twice, first in line ${first}`;
        problems.push({ key: field, line: cell.line, column: cell.column, message, seen: JSON.stringify(cell.text) });
      }
    }
  }
}
