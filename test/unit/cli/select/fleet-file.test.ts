import { Readable, Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { matchExpressions } from '../../../../src/cli/select/match-expressions.ts';
import { parseFleet } from '../../../../src/cli/select/read-fleet-file.ts';
import { FileSource } from '../../../../src/cli/select/select-source.ts';

const nowMs = Date.UTC(2026, 10, 26);
const document = {
  devices: [
    { id: 'a', grains: { site: 'fra' }, tags: { ring: 'canary' } },
    { id: 'b', grains: { site: 'zrh' } },
  ],
  groups: { canary: 'I@ring:canary', broken: 'G@site' },
};

describe('a fleet in a file', () => {
  it.each([
    ['a document', JSON.stringify(document)],
    ['a document over many lines', JSON.stringify(document, null, 2)],
    ['NDJSON', document.devices.map((device) => `${JSON.stringify(device)}\n`).join('\n')],
    [
      'a list, as device list prints it',
      JSON.stringify(document.devices.map((one) => ({ ...one, state: 'accepted' }))),
    ],
  ])('is %s', (_, text) => {
    expect(parseFleet(text, 'fleet').devices.map(({ id }) => id)).toEqual(['a', 'b']);
  });

  it.each([
    ['{"devices": [\n  {"id": "a",}\n]}', 'this is not JSON', 2, 14],
    ['{"devices": [', 'this is not JSON', 1, 14],
    ['{"id": "a"}\n\n{"id": }', 'this is not JSON', 3, 1],
    ['{"id": "a"}\n{"id": 7}', 'id is no id', 2, 1],
    ['{"id": "a"}\n{"id": "a"}', 'id stands twice', 2, 1],
    ['{"id": "a"}\n{"id": "b", "grians": {}}', 'grians is not known', 2, 1],
    ['{"devices": {}}', 'devices is not a list', 1, 1],
    ['{"devices": [{"id": "a"}, {"id": "b", "tags": []}]}', 'devices[1].tags is no object', 1, 1],
    ['{"devices": [1]}', 'devices[0] is no device', 1, 1],
    ['{"devices": [], "group": {}}', 'group is not known', 1, 1],
    ['{"devices": [], "groups": {"x": ["a"]}}', 'groups.x is no selector', 1, 1],
    ['{"devices": [], "groups": {"x/y": "a"}}', 'groups.x/y cannot be the name of a group', 1, 1],
    ['7', 'fleet is no fleet', 1, 1],
  ])('with a fault is refused at its place: %s', (text, message, line, column) => {
    expect(() => parseFleet(text, 'fleet')).toThrow(
      expect.objectContaining({
        fault: 'usage',
        code: 'fleet-malformed',
        message,
        detail: expect.objectContaining({ position: { file: 'fleet', line, column } }),
      }),
    );
  });
});

describe('expressions, one a line', () => {
  const source = new FileSource(parseFleet(JSON.stringify(document), 'fleet'), nowMs);

  async function rowsOf(text: string): Promise<{ rows: unknown[]; malformed: number }> {
    const rows: unknown[] = [];
    const output = new Writable({
      write: (chunk: Buffer, _, done) => {
        rows.push(JSON.parse(chunk.toString()));
        done();
      },
    });
    const malformed = await matchExpressions(source, Readable.from([Buffer.from(text)]), output, JSON.stringify);
    return { rows, malformed };
  }

  it('have a row each, in order, whatever becomes of the one before', async () => {
    const { rows, malformed } = await rowsOf('*\nN@canary\r\nnot N@broken\n\nG@site:fra and N@cannary\nnosuch');
    expect(malformed).toBe(3);
    expect(rows).toEqual([
      { expr: '*', ids: ['a', 'b'] },
      { expr: 'N@canary', ids: ['a'] },
      {
        expr: 'not N@broken',
        error: {
          code: 'selector-missing-delimiter',
          message: 'in the group broken: G@site has a key but no value',
          position: { line: 1, column: 5 },
        },
      },
      {
        expr: '',
        error: { code: 'selector-empty', message: 'the selector is empty', position: { line: 1, column: 1 } },
      },
      {
        expr: 'G@site:fra and N@cannary',
        error: {
          code: 'selector-unknown-group',
          message: 'there is no group cannary',
          position: { line: 1, column: 16 },
        },
      },
      { expr: 'nosuch', ids: [] },
    ]);
  });

  it('longer than any selector end the run', async () => {
    await expect(rowsOf('x'.repeat(100_000))).rejects.toMatchObject({ code: 'expression-too-long', fault: 'usage' });
  });
});
