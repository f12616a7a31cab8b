import { LineCounter, isMap, isScalar, isSeq, parseDocument, type Node, type Pair, type YAMLMap } from 'yaml';
import { nearest } from '../nearest.ts';
import type { ConfigProblem } from '../config/problem.ts';
import { mapColumns, type Cell, type ManifestRow, type ManifestShape } from './manifest-row.ts';

/** A list of maps; or the same under `devices:`, with `defaults:` for what a row does not say itself. */
export function readYamlRows(source: string, shape: ManifestShape, problems: ConfigProblem[]): ManifestRow[] {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  for (const error of document.errors) {
    const { line, col } = lines.linePos(error.pos[0]);
    problems.push({ key: '', line, column: col, message: `not valid YAML: ${error.message}` });
  }
  if (problems.length > 0) return [];
  const reader = new RowReader(shape, lines, problems);
  const contents = document.contents as Node | null;
  const list = isMap(contents) ? contents.get('devices', true) : contents;
  if (!isSeq(list)) {
    const expected = `- ${shape.required}: …`;
    reader.report(list ?? contents, '', 'the manifest must be a list', { expected });
    return [];
  }
  if (list.items.length > shape.maxRows) {
    const expected = `at most ${shape.maxRows}; split the file`;
    reader.report(list.items[shape.maxRows], '', 'too many devices', { seen: `${list.items.length}`, expected });
    return [];
  }
  const defaults = isMap(contents) ? reader.defaults(contents) : new Map();
  return list.items.map((item) => reader.row(item, defaults));
}

class RowReader {
  readonly #shape: ManifestShape;
  readonly #keys: readonly string[];
  readonly #lines: LineCounter;
  readonly #problems: ConfigProblem[];

  constructor(shape: ManifestShape, lines: LineCounter, problems: ConfigProblem[]) {
    this.#shape = shape;
    this.#keys = [...shape.columns, ...Object.values(mapColumns)];
    this.#lines = lines;
    this.#problems = problems;
  }

  report(node: unknown, key: string, message: string, more: Pick<ConfigProblem, 'seen' | 'expected' | 'suggestion'>) {
    this.#problems.push({ key, ...this.#place(node), message, ...more });
  }

  /** What stands beside `devices:`. */
  defaults(contents: YAMLMap): ManifestRow {
    for (const { key } of contents.items) {
      const { text } = this.#cell(key, '');
      if (text === 'devices' || text === 'defaults') continue;
      this.report(key, text, `unknown key ${text}`, { expected: 'defaults, devices' });
    }
    const row: ManifestRow = new Map();
    const node: unknown = contents.get('defaults', true);
    if (isMap(node)) for (const pair of node.items) this.#addPair(row, pair);
    else if (node !== undefined) this.report(node, 'defaults', 'defaults must be a map', { expected: 'key: value' });
    return row;
  }

  row(item: unknown, defaults: ManifestRow): ManifestRow {
    const row: ManifestRow = new Map(defaults);
    if (!isMap(item)) {
      const expected = `${this.#shape.required}: …`;
      this.report(item, '', 'a device must be a map', { expected });
      return row;
    }
    const { required } = this.#shape;
    if (!item.has(required)) {
      this.report(item, required, `${required} is missing`, { expected: `a value for ${required}` });
    }
    for (const pair of item.items) this.#addPair(row, pair);
    return row;
  }

  #addPair(row: ManifestRow, { key, value }: Pair): void {
    const name = this.#cell(key, '');
    if (!this.#keys.includes(name.text)) {
      const near = nearest(name.text, this.#keys);
      const expected = `one of ${this.#keys.join(', ')}`;
      this.report(key, name.text, `unknown key ${name.text}`, {
        expected,
        ...(near === undefined ? {} : { suggestion: near }),
      });
    } else if (this.#shape.columns.includes(name.text)) {
      row.set(name.text, { ...this.#cell(value, name.text), name });
    } else if (isMap(value)) {
      for (const inner of value.items) {
        const innerName = this.#cell(inner.key, name.text);
        const path = `${name.text.slice(0, -1)}.${innerName.text}`;
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
