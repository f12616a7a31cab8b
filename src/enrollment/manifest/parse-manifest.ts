/** A manifest of devices that are to come: CSV or YAML, read whole, with every problem at its line. */
import { ConfigError, type ConfigProblem } from '../../config/problem.ts';
import { readCsvRows } from './manifest-csv.ts';
import { readEntry, type ManifestEntry, type PlacedEntry } from './manifest-entry.ts';
import { readYamlRows } from './manifest-yaml.ts';

/**
 * CSV with a heading (`id,serial,key,tag.ring,grain.site`), or YAML: a list of maps with `id`, `serial`, `key`,
 * `pending`, `tags:` and `grains:`. @throws ConfigError with every problem of the file
 */
export function parseManifest(source: string, file: string): ManifestEntry[] {
  const problems: ConfigProblem[] = [];
  const rows = /\.(ya?ml)$/i.test(file) ? readYamlRows(source, problems) : readCsvRows(source, problems);
  const entries = rows.map((row) => readEntry(row, problems));
  findTwins(entries, problems);
  if (rows.length === 0 && problems.length === 0) {
    problems.push({ key: '', line: 1, column: 1, message: 'the manifest names no device', expected: 'a row a device' });
  }
  if (problems.length > 0) throw new ConfigError(file, source, withoutRepeats(problems));
  return entries.map(({ entry }) => entry);
}

/** What is wrong with a column is wrong in every row. */
function withoutRepeats(problems: readonly ConfigProblem[]): ConfigProblem[] {
  const byPlace = new Map(problems.map((problem) => [`${problem.line}:${problem.column}:${problem.message}`, problem]));
  return [...byPlace.values()];
}

/** Two rows must not speak of one device, one board or one key. */
function findTwins(entries: readonly PlacedEntry[], problems: ConfigProblem[]): void {
  for (const field of ['id', 'serial', 'key'] as const) {
    const seen = new Map<string, number>();
    for (const { places } of entries) {
      const cell = places.get(field);
      if (cell === undefined) continue;
      const value = field === 'key' ? cell.text.toLowerCase().replaceAll(':', '') : cell.text;
      const first = seen.get(value);
      if (first === undefined) seen.set(value, cell.line);
      else {
        const message = `${field} stands here twice, first in line ${first}`;
        problems.push({ key: field, line: cell.line, column: cell.column, message, seen: JSON.stringify(cell.text) });
      }
    }
  }
}
