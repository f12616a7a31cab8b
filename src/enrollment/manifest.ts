/** A manifest of devices that are to come: CSV or YAML, read whole, with every problem at its line. */
import { LineCounter, isMap, isScalar, isSeq, parseDocument, type Node } from 'yaml';
import { ConfigError, type ConfigProblem } from '../config/problem.ts';
import { nearest } from '../config/nearest.ts';
import { isDeviceId } from '../pki/profile.ts';
import { readCsv } from './csv.ts';

/** What is known of a device before it has ever been seen. */
export interface ManifestEntry {
  deviceId: string;
  /** What stands as serialNumber in the subject of its request. */
  hardwareSerial?: string;
  /** SHA-256 of its public key (SubjectPublicKeyInfo, DER), 64 hex digits. */
  keySha256?: string;
  tags: Record<string, string>;
  /** Grains that it may report with this value only. */
  grains: Record<string, string>;
  /** It waits for an operator although it is known. */
  pending?: true;
}

/** Where a value stands, for what is said of it. */
interface Cell {
  text: string;
  line: number;
  column: number;
}

/** A row before it is judged: its cells by column name. */
type RawRow = Map<string, Cell & { name: Cell }>;

const columns = ['id', 'serial', 'key', 'pending'] as const;
const tagPattern = /^[a-z0-9][a-z0-9._-]{0,62}$/;
const grainPattern = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;
const maxValueLength = 256;
export const maxManifestEntries = 100_000;

/**
 * CSV with a heading (`id,serial,key,tag.ring,grain.site`), or YAML: a list of maps with `id`, `serial`, `key`,
 * `pending`, `tags:` and `grains:`. @throws ConfigError with every problem of the file
 */
export function parseManifest(source: string, file: string): ManifestEntry[] {
  const problems: ConfigProblem[] = [];
  const rows = /\.(ya?ml)$/i.test(file) ? readYaml(source, problems) : readTable(source, problems);
  const entries = rows.map((row) => readEntry(row, problems));
  findTwins(entries, problems);
  if (rows.length === 0 && problems.length === 0) {
    problems.push({ key: '', line: 1, column: 1, message: 'the manifest names no device', expected: 'a row a device' });
  }
  if (problems.length > 0) throw new ConfigError(file, source, problems);
  return entries.map(({ entry }) => entry);
}

interface PlacedEntry {
  entry: ManifestEntry;
  places: Map<'id' | 'serial' | 'key', Cell>;
}

function readEntry(row: RawRow, problems: ConfigProblem[]): PlacedEntry {
  const entry: ManifestEntry = { deviceId: '', tags: {}, grains: {} };
  const places: PlacedEntry['places'] = new Map();
  const wrong = (cell: Cell, key: string, message: string, expected: string): void => {
    problems.push({ key, line: cell.line, column: cell.column, message, seen: JSON.stringify(cell.text), expected });
  };
  for (const [column, cell] of row) {
    const { text } = cell;
    const [kind, ...rest] = column.split('.');
    const name = rest.join('.');
    if (column === 'id') {
      if (isDeviceId(text)) [entry.deviceId] = [text, places.set('id', cell)];
      else wrong(cell, 'id', 'this is no device id', 'one to 63 of a-z 0-9 . _ - with a letter or digit first');
    } else if (column === 'serial') {
      if (text !== '' && text.length <= 64) [entry.hardwareSerial] = [text, places.set('serial', cell)];
      else if (text !== '') wrong(cell, 'serial', 'the serial number is too long', 'at most 64 characters');
    } else if (column === 'key') {
      const hex = text.toLowerCase().replaceAll(':', '');
      if (/^[0-9a-f]{64}$/.test(hex)) [entry.keySha256] = [hex, places.set('key', cell)];
      else if (text !== '') wrong(cell, 'key', 'this is no key fingerprint', 'SHA-256 of the public key: 64 hex digits');
    } else if (column === 'pending') {
      if (['true', 'yes', '1'].includes(text)) entry.pending = true;
      else if (!['', 'false', 'no', '0'].includes(text)) wrong(cell, 'pending', 'pending is not valid', 'true or false');
    } else if (kind === 'tag' || kind === 'tags') {
      if (!tagPattern.test(name)) wrong(cell.name, column, 'this is no tag', 'a-z 0-9 . _ -, at most 63');
      else if (text.length > maxValueLength) wrong(cell, column, 'the tag is too long', `at most ${maxValueLength}`);
      else if (text !== '') entry.tags[name] = text;
    } else if (kind === 'grain' || kind === 'grains') {
      if (!grainPattern.test(name)) wrong(cell.name, column, 'this is no grain', 'a key such as site or os:version');
      else if (text.length > maxValueLength) wrong(cell, column, 'the grain is too long', `at most ${maxValueLength}`);
      else if (text !== '') entry.grains[name] = text;
    }
  }
  return { entry, places };
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

function readTable(source: string, problems: ConfigProblem[]): RawRow[] {
  const { rows, fault } = readCsv(source);
  if (fault !== undefined) {
    problems.push({ key: '', ...fault });
    return [];
  }
  const [head, ...body] = rows;
  if (head === undefined) return [];
  const names = head.map((cell) => ({ ...cell, text: cell.text.trim() }));
  for (const cell of names) checkColumn(cell, problems);
  const twice = names.find(({ text }, index) => names.findIndex((other) => other.text === text) < index);
  if (twice !== undefined) {
    problems.push({ key: twice.text, line: twice.line, column: twice.column, message: `two columns ${twice.text}` });
  }
  if (!names.some(({ text }) => text === 'id')) {
    problems.push({ key: 'id', line: 1, column: 1, message: 'the heading has no column id', expected: 'id,serial,key' });
    return [];
  }
  return limit(body, problems).map((cells) => {
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
    return new Map(names.flatMap((name, index) => {
      const cell = cells[index];
      return cell === undefined ? [] : [[name.text, { ...cell, text: cell.text.trim(), name }] as const];
    }));
  });
}

function limit<T extends readonly Cell[]>(rows: readonly T[], problems: ConfigProblem[]): readonly T[] {
  if (rows.length <= maxManifestEntries) return rows;
  const at = rows[maxManifestEntries]?.[0] ?? { line: 1, column: 1 };
  const expected = `at most ${maxManifestEntries}; split the file`;
  problems.push({ key: '', line: at.line, column: at.column, message: 'too many devices', seen: `${rows.length}`, expected });
  return rows.slice(0, maxManifestEntries);
}

function checkColumn(cell: Cell, problems: ConfigProblem[]): void {
  const { text, line, column } = cell;
  if ((columns as readonly string[]).includes(text) || /^(tag|grain)\../.test(text)) return;
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

function readYaml(source: string, problems: ConfigProblem[]): RawRow[] {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const place = (node: unknown): { line: number; column: number } => {
    const { line, col } = lines.linePos((node as Node | null)?.range?.[0] ?? 0);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  for (const error of document.errors) {
    const { line, col } = lines.linePos(error.pos[0]);
    problems.push({ key: '', line, column: col, message: `not valid YAML: ${error.message}` });
  }
  if (problems.length > 0) return [];
  const contents = document.contents as Node | null;
  const list = isMap(contents) ? contents.get('devices', true) : contents;
  if (!isSeq(list)) {
    problems.push({ key: '', ...place(list ?? contents), message: 'the manifest must be a list', expected: '- id: meter-1' });
    return [];
  }
  const cellOf = (node: unknown): Cell => {
    const text = isScalar(node) ? String(node.source ?? node.value ?? '') : '';
    return { text: isScalar(node) && typeof node.value === 'string' ? node.value : text, ...place(node) };
  };
  return list.items.slice(0, maxManifestEntries).map((item) => {
    const row: RawRow = new Map();
    if (!isMap(item)) {
      problems.push({ key: '', ...place(item), message: 'a device must be a map', expected: 'id: meter-1' });
      return row;
    }
    if (!item.has('id')) problems.push({ key: 'id', ...place(item), message: 'id is missing', expected: 'a device id' });
    for (const { key, value } of item.items) {
      const name = cellOf(key);
      if ((name.text === 'tags' || name.text === 'grains') && isMap(value)) {
        for (const inner of value.items) {
          const innerName = cellOf(inner.key);
          row.set(`${name.text}.${innerName.text}`, { ...cellOf(inner.value), name: innerName });
        }
        continue;
      }
      if (!(columns as readonly string[]).includes(name.text)) {
        const near = nearest(name.text, [...columns, 'tags', 'grains']);
        const expected = `one of ${[...columns, 'tags', 'grains'].join(', ')}`;
        const message = name.text === 'tags' || name.text === 'grains' ? `${name.text} must be a map` : `unknown key ${name.text}`;
        problems.push({ key: name.text, ...place(key), message, expected, ...(near === undefined ? {} : { suggestion: near }) });
        continue;
      }
      row.set(name.text, { ...cellOf(value), name });
    }
    return row;
  });
}
