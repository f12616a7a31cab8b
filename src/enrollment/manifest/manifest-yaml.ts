import { LineCounter, isMap, isScalar, isSeq, parseDocument, type Node, type Pair } from 'yaml';
import { nearest } from '../../config/nearest.ts';
import type { ConfigProblem } from '../../config/problem.ts';
import { columns, maxManifestEntries, type Cell, type RawRow } from './manifest-entry.ts';

const keys: readonly string[] = [...columns, 'tags', 'grains'];

/** A list of maps, or the same under `devices:`. */
export function readYamlRows(source: string, problems: ConfigProblem[]): RawRow[] {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  for (const error of document.errors) {
    const { line, col } = lines.linePos(error.pos[0]);
    problems.push({ key: '', line, column: col, message: `not valid YAML: ${error.message}` });
  }
  if (problems.length > 0) return [];
  const reader = new RowReader(lines, problems);
  const contents = document.contents as Node | null;
  const list = isMap(contents) ? contents.get('devices', true) : contents;
  if (!isSeq(list)) {
    reader.report(list ?? contents, '', 'the manifest must be a list', { expected: '- id: meter-1' });
    return [];
  }
  if (list.items.length > maxManifestEntries) {
    const expected = `at most ${maxManifestEntries}; split the file`;
    reader.report(list.items[maxManifestEntries], '', 'too many devices', { seen: `${list.items.length}`, expected });
    return [];
  }
  return list.items.map((item) => reader.row(item));
}

class RowReader {
  readonly #lines: LineCounter;
  readonly #problems: ConfigProblem[];

  constructor(lines: LineCounter, problems: ConfigProblem[]) {
    this.#lines = lines;
    this.#problems = problems;
  }

  report(node: unknown, key: string, message: string, more: Pick<ConfigProblem, 'seen' | 'expected' | 'suggestion'>) {
    this.#problems.push({ key, ...this.#place(node), message, ...more });
  }

  row(item: unknown): RawRow {
    const row: RawRow = new Map();
    if (!isMap(item)) {
      this.report(item, '', 'a device must be a map', { expected: 'id: meter-1' });
      return row;
    }
    if (!item.has('id')) this.report(item, 'id', 'id is missing', { expected: 'a device id' });
    for (const pair of item.items) this.#addPair(row, pair);
    return row;
  }

  #addPair(row: RawRow, { key, value }: Pair): void {
    const name = this.#cell(key, '');
    if (!keys.includes(name.text)) {
      const near = nearest(name.text, keys);
      const expected = `one of ${keys.join(', ')}`;
      this.report(key, name.text, `unknown key ${name.text}`, {
        expected,
        ...(near === undefined ? {} : { suggestion: near }),
      });
    } else if ((columns as readonly string[]).includes(name.text)) {
      row.set(name.text, { ...this.#cell(value, name.text), name });
    } else if (isMap(value)) {
      for (const inner of value.items) {
        const innerName = this.#cell(inner.key, name.text);
        const path = `${name.text}.${innerName.text}`;
        row.set(path, { ...this.#cell(inner.value, path), name: innerName });
      }
    } else {
      this.report(key, name.text, `${name.text} must be a map`, { expected: 'name: value' });
    }
  }

  /** A number as it is written: 00120 is no 80. Nothing at all is an empty text. */
  #cell(node: unknown, key: string): Cell {
    const place = this.#place(node);
    if (node === null || node === undefined) return { text: '', ...place };
    if (isScalar(node)) return { text: typeof node.value === 'string' ? node.value : (node.source ?? ''), ...place };
    this.report(node, key, `${key || 'a key'} must be text`, { expected: 'text' });
    return { text: '', ...place };
  }

  #place(node: unknown): { line: number; column: number } {
    const { line, col } = this.#lines.linePos((node as Node | null)?.range?.[0] ?? 0);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  }
}
