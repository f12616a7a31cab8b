import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { displayWidth, printable, truncate } from '../../../src/cli/printable.ts';
import { formatFields, formatTable, type Column } from '../../../src/cli/table.ts';

interface Row {
  id: string;
  count: number;
  text: string | undefined;
}
const columns: Column<Row>[] = [
  { title: 'ID', value: (row) => row.id },
  { title: 'COUNT', value: (row) => row.count, align: 'right' },
  { title: 'TEXT', value: (row) => row.text, shrink: true },
];
const rows: Row[] = [
  { id: 'gw-1', count: 7, text: 'a rather long text that has no end' },
  { id: 'gw-22', count: 1234, text: undefined },
];

describe('tables', () => {
  it('align columns and leave no trailing spaces', () => {
    expect(formatTable(rows, columns)).toBe(
      'ID     COUNT  TEXT\ngw-1       7  a rather long text that has no end\ngw-22   1234  -\n',
    );
  });

  it('are cut only when a width is given, and only in columns that may shrink', () => {
    expect(formatTable(rows, columns, { width: 30 })).toBe(
      'ID     COUNT  TEXT\ngw-1       7  a rather long t…\ngw-22   1234  -\n',
    );
  });

  it('never exceed the width while something can shrink', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' })), fc.integer({ min: 25, max: 120 }), (texts, width) => {
        const lines = formatTable(
          texts.map((text) => ({ id: 'x', count: 1, text })),
          columns,
          { width },
        ).split('\n');
        for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(width);
      }),
    );
  });

  it('count wide characters as two columns', () => {
    const table = formatTable([{ id: '東京', count: 1, text: 'x' }], columns);
    expect(table).toBe('ID    COUNT  TEXT\n東京      1  x\n');
  });

  it('colour cells without moving them', () => {
    const styled = [
      { title: 'A', value: () => 'ok', style: () => 'green' as const },
      { title: 'B', value: () => 'x' },
    ];
    expect(formatTable([1], styled, { color: true })).toContain('\u001b[32mok\u001b[39m  x');
  });

  it('align fields and leave out those without a value', () => {
    expect(formatFields({ a: 1, 'long name': 'x', none: undefined })).toBe('a:          1\nlong name:  x\n');
  });
});

describe('text from devices', () => {
  it('can not move the cursor, ring the bell or reverse the line', () => {
    expect(printable('a\u001b[2Jb\u0007\u202ec\nd')).toBe('a\\x1b[2Jb\\x07\\u202ec\\x0ad');
    expect(printable('a\n\tb\u009b', { keepNewlines: true })).toBe('a\n\tb\\x9b');
  });

  it('never holds a control character after it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(printable(text)).not.toMatch(/\p{Cc}/u);
      }),
    );
  });

  it('is cut to columns, not to characters', () => {
    expect([truncate('abc', 3), truncate('abcd', 3), truncate('東京都', 5), truncate('東京都', 4)]).toEqual([
      'abc',
      'ab…',
      '東京…',
      '東…',
    ]);
  });
});
