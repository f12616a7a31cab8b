import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readCsv } from '../../../src/manifest/csv.ts';

const texts = (source: string) => readCsv(source).rows.map((row) => row.map(({ text }) => text));

describe('readCsv', () => {
  it('reads quoted cells, both line ends, a byte order mark, and leaves empty lines out', () => {
    expect(texts('\uFEFFid,note\r\n\r\na,"x, ""y""\nz"\nb,\n')).toEqual([
      ['id', 'note'],
      ['a', 'x, "y"\nz'],
      ['b', ''],
    ]);
  });

  it('tells the place of each cell, also behind a cell of several lines', () => {
    const { rows } = readCsv('a,b\n"1\n2",3\n4,5\n');
    expect(rows.map((row) => row.map(({ line, column }) => `${line}:${column}`))).toEqual([
      ['1:1', '1:3'],
      ['2:1', '3:4'],
      ['4:1', '4:3'],
    ]);
  });

  it.each([
    ['a,"b\nc', 1, 3, 'a quoted cell does not end'],
    ['a\n"b"c,d\n', 2, 4, 'something stands behind a quoted cell'],
  ])('says where %j is no CSV', (source, line, column, message) => {
    expect(readCsv(source).fault).toMatchObject({ line, column, message });
  });

  it('reads back whatever was written by the rules of RFC 4180', () => {
    const quote = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const cell = fc.string({ unit: fc.constantFrom('a', ' ', '"', ',', '\n', '\r\n', 'é', '😀'), maxLength: 6 });
    const table = fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { maxLength: 6 });
    fc.assert(
      fc.property(table, fc.constantFrom('\n', '\r\n'), (rows, end) => {
        const source = rows.map((row) => row.map(quote).join(',') + end).join('');
        expect(texts(source)).toEqual(rows);
      }),
    );
  });

  it('reads any text without an exception', () => {
    const unit = fc.constantFrom('a', '"', ',', '\n', '\r', '\0', '\uFEFF');
    fc.assert(fc.property(fc.string({ unit, maxLength: 200 }), (source) => void readCsv(source)));
  });
});
