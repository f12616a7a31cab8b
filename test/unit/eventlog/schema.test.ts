import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkSchema, type LabelledSchema } from '../../../src/eventlog/schema/compatibility.ts';
import { exactType, plainType } from '../../../src/eventlog/schema/compile-schema.ts';
import { parseSchema } from '../../../src/eventlog/schema/event-schema.ts';
import { avroFingerprint } from '../../../src/protocol/avro-fingerprint.ts';
import { PayloadReader } from '../../../src/eventlog/schema/payload-reader.ts';
import { evolution, firstVersion, forbidden, record, type RecordDocument } from './evolution.ts';

const seed = 20_261_125;
const label = (documents: readonly unknown[]): LabelledSchema[] =>
  documents.map((document, n) => ({ label: `version ${n + 1}`, schema: parseSchema(JSON.stringify(document)) }));

/** As JSON has it: what avsc gives for plain types, with bytes in base64. */
const plainJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value, bytesAsBase64));
function bytesAsBase64(_: string, value: any): unknown {
  return value?.type === 'Buffer' ? Buffer.from(value.data).toString('base64') : value;
}

/** A reader that knows these versions; the last one is the newest. */
function readerOf(versions: readonly LabelledSchema[]): PayloadReader {
  const schemas = versions.map(({ schema }) => schema);
  return new PayloadReader({
    writer: (fingerprint) => schemas.find((schema) => schema.fingerprint === fingerprint),
    newest: () => schemas.at(-1),
  });
}

describe('a fingerprint', () => {
  it('is the one that the Avro project publishes, and that avsc finds for the canonical form', () => {
    expect(avroFingerprint('"int"').toString(16)).toBe('7275d51a3f395c8f');
    expect(avroFingerprint('"null"').toString(16)).toBe('63dd24e7cc258f8a');
    const bare = parseSchema('{"type":"record","name":"a.B","fields":[{"name":"x","type":"int"}]}');
    const dressed = parseSchema(
      '{"doc":"d","fields":[{"name":"x","unit":"V","type":{"type":"int"},"default":1}],"name":"B","namespace":"a","type":"record"}',
    );
    expect(dressed.fingerprint).toBe(bare.fingerprint);
    expect(dressed.sha256).not.toBe(bare.sha256);
    expect(dressed.type).toBe('a.B');
  });

  it('of the whole does not hang on the order of keys', () => {
    const one = parseSchema('{"type":"record","name":"B","fields":[]}');
    expect(parseSchema('{ "fields": [], "name": "B", "type": "record" }').sha256).toBe(one.sha256);
  });

  it.each([
    ['no JSON', '{'],
    ['no record', '"int"'],
    ['an unknown type', '{"type":"record","name":"B","fields":[{"name":"x","type":"inf"}]}'],
    ['a default that does not fit', '{"type":"record","name":"B","fields":[{"name":"x","type":"int","default":"a"}]}'],
    ['a name of ours', '{"type":"record","name":"flotilla.B","fields":[]}'],
    ['a field that is no name', '{"type":"record","name":"B","fields":[{"name":"a b","type":"int"}]}'],
    ['a dangerous field', '{"type":"record","name":"B","fields":[{"name":"__proto__","type":"int"}]}'],
    ['too much', `{"type":"record","name":"B","doc":"${'x'.repeat(70_000)}","fields":[]}`],
    ['too deep', `{"type":"record","name":"B","fields":${'['.repeat(30_000)}${']'.repeat(30_000)}}`],
  ])('is refused for %s', (_, text) => {
    expect(() => parseSchema(text)).toThrow(expect.objectContaining({ code: 'schema-malformed' }));
  });
});

describe('evolutions of a schema', () => {
  it('20 that are allowed: each version passes, and reads every other as avsc does by itself, both ways', () => {
    let pairs = 0;
    fc.assert(
      fc.property(evolution, fc.integer({ min: -1_000_000, max: 1_000_000 }), (documents, salt) => {
        const versions = label(documents);
        for (const [n, version] of versions.entries()) expect(checkSchema(version, versions.slice(0, n))).toEqual([]);
        for (const [w, writer] of versions.entries()) {
          const written = valueFor(documents[w]!, salt);
          const bytes = exactType(documents[w]).toBuffer(written);
          for (const [r, reader] of versions.entries()) {
            pairs += 1;
            const own = plainType(documents[r]);
            const expected = own.fromBuffer(bytes, own.createResolver(plainType(documents[w])));
            const got = readerOf([writer, reader]).read(writer.schema.fingerprint, bytes);
            expect(got).toEqual(plainJson(expected));
          }
          expect(readerOf(versions).read(writer.schema.fingerprint, bytes, true)).toEqual(
            plainJson(plainType(documents[w]).fromBuffer(bytes)),
          );
        }
      }),
      { seed, numRuns: 20 },
    );
    expect(pairs).toBeGreaterThan(100);
  });

  it('20 that are not, of each kind: refused, with the field, the two versions, the reason and what to do', () => {
    fc.assert(
      fc.property(firstVersion, (document) => {
        for (const [name, make] of Object.entries(forbidden)) {
          const { next, field } = make(document);
          const [older, newer] = label([document, next]) as [LabelledSchema, LabelledSchema];
          const found = checkSchema(newer, [older]);
          expect(found, name).toContainEqual({
            type: 'meter.Reading',
            field,
            older: expect.stringMatching(/^version [12]$/),
            newer: 'version 2',
            reason: expect.any(String),
            suggestion: expect.any(String),
          });
          expect(new Set(found.map((one) => one.field)), name).toEqual(new Set([field]));
        }
      }),
      { seed, numRuns: 20 },
    );
  });

  it('refuse whatever avsc refuses, in either direction', () => {
    fc.assert(
      fc.property(firstVersion, firstVersion, (one, other) => {
        const [older, newer] = label([one, other]) as [LabelledSchema, LabelledSchema];
        const resolves = (reader: unknown, writer: unknown): boolean => {
          try {
            plainType(reader).createResolver(plainType(writer));
            return true;
          } catch {
            return false;
          }
        };
        if (!resolves(one, other) || !resolves(other, one)) expect(checkSchema(newer, [older])).not.toEqual([]);
      }),
      { seed, numRuns: 200 },
    );
  });

  it('do not bring back a name that was removed', () => {
    const x = { name: 'x', type: 'int', default: 0 };
    const keep = { name: 'k', type: 'int' };
    const versions = label([record([keep, x]), record([keep]), record([keep, x])]);
    expect(checkSchema(versions[2]!, versions.slice(0, 2))).toEqual([
      {
        type: 'meter.Reading',
        field: 'x',
        older: 'version 1',
        newer: 'version 3',
        reason: 'the name was used in version 1 and removed in version 2',
        suggestion: 'take a name that was never used',
      },
    ]);
  });

  it('may be of a schema that contains itself', () => {
    const tree = (extra: object[]) => ({
      type: 'record',
      name: 'Tree',
      fields: [{ name: 'next', type: ['null', 'Tree'], default: null }, ...extra],
    });
    const [one, two, three] = label([
      tree([]),
      tree([{ name: 'n', type: 'int', default: 1 }]),
      tree([{ name: 'm', type: 'int' }]),
    ]);
    expect(checkSchema(two!, [one!])).toEqual([]);
    expect(checkSchema(three!, [one!]).map(({ field }) => field)).toEqual(['m']);
  });
});

describe('a payload', () => {
  const schema = (fields: object[]) => label([record(fields as never)])[0]!;
  const read = (one: LabelledSchema, bytes: Uint8Array) => readerOf([one]).read(one.schema.fingerprint, bytes);
  const written = (one: LabelledSchema, value: unknown) => exactType(one.schema.document).toBuffer(value);

  it('keeps every long, every double and every byte', () => {
    const all = schema([
      { name: 'l', type: { type: 'array', items: 'long' } },
      { name: 'd', type: { type: 'array', items: 'double' } },
      { name: 'b', type: 'bytes' },
      { name: 'u', type: ['null', 'long'] },
      { name: 'w', type: ['int', 'string', 'null'] },
    ]);
    const bytes = written(all, {
      l: [2n ** 53n - 1n, 2n ** 53n, -(2n ** 63n), 2n ** 63n - 1n],
      d: [NaN, Infinity, -Infinity, 0.1],
      b: Buffer.from([0, 255, 1]),
      u: { long: 2n ** 60n + 1n },
      w: { string: 'x' },
    });
    expect(read(all, bytes)).toEqual({
      l: [9007199254740991, '9007199254740992', '-9223372036854775808', '9223372036854775807'],
      d: ['NaN', 'Infinity', '-Infinity', 0.1],
      b: 'AP8B',
      u: '1152921504606846977',
      w: { string: 'x' },
    });
  });

  it('that can not be read is shown as its bytes with the reason, and never throws', () => {
    const list = schema([{ name: 'l', type: { type: 'array', items: 'null' } }]);
    const hostile: [string, Buffer][] = [
      ['more than', Buffer.from([0xfe, 0xff, 0xff, 0xff, 0x0f, 0])], // two billion nothings
      ['too early', Buffer.from([2])],
      ['too many', Buffer.from([0, 0])],
      ['too early', Buffer.alloc(0)],
    ];
    for (const [reason, bytes] of hostile) {
      expect(read(list, bytes)).toMatchObject({ base64: bytes.toString('base64'), error: expect.any(String) });
      if (reason !== 'more than') expect((read(list, bytes) as { error: string }).error).toContain(reason);
    }
    expect(readerOf([list]).read('00000000000000ff', Buffer.from('x'))).toEqual({
      schema: '00000000000000ff',
      base64: 'eA==',
      error: 'the schema is not known (yet)',
    });
  });

  it('of any bytes and any schema is answered in bounded time', () => {
    fc.assert(
      fc.property(firstVersion, fc.uint8Array({ maxLength: 40 }), (document, bytes) => {
        const [one] = label([document]) as [LabelledSchema];
        expect(JSON.stringify(read(one, bytes))).toBeTypeOf('string');
      }),
      { seed, numRuns: 500 },
    );
  });

  it('of a schema that unfolds without end is refused, not unfolded', () => {
    let type: unknown = { type: 'record', name: 'R0', fields: [] };
    for (let n = 1; n <= 40; n += 1) {
      type = {
        type: 'record',
        name: `R${n}`,
        fields: [
          { name: 'a', type },
          { name: 'b', type: `R${n - 1}` },
        ],
      };
    }
    const [one] = label([type]) as [LabelledSchema];
    expect(checkSchema(one, [one])).toEqual([]);
    expect(read(one, Buffer.alloc(0))).toMatchObject({ error: expect.stringContaining('more than') });
  });

  it('whose newest schema can not read it is shown as its bytes', () => {
    const [old, next] = label([record([{ name: 'a', type: 'int' }]), record([{ name: 'b', type: 'int' }])]);
    const bytes = written(old!, { a: 1 });
    expect(readerOf([old!, next!]).read(old!.schema.fingerprint, bytes)).toMatchObject({
      error: expect.stringContaining('b'),
    });
    expect(readerOf([old!, next!]).read(old!.schema.fingerprint, bytes, true)).toEqual({ a: 1 });
  });
});

/** A value of the schema that differs with `salt`, as exact types want it. */
function valueFor({ fields }: RecordDocument, salt: number): Record<string, unknown> {
  return Object.fromEntries(fields.map(({ name, type }) => [name, valueOf(type, salt + name.charCodeAt(0))]));
}

function valueOf(type: any, salt: number): unknown {
  if (Array.isArray(type)) {
    const inner = type.find((one) => one !== 'null');
    return salt % 2 === 0 ? null : { [inner]: valueOf(inner, salt) };
  }
  switch (type.type ?? type) {
    case 'boolean':
      return salt % 2 === 0;
    case 'long':
      return BigInt(salt) * 1000n;
    case 'float':
      return Math.fround(salt / 3);
    case 'double':
      return salt / 3;
    case 'string':
      return `text ${salt}`;
    case 'bytes':
      return Buffer.from(`bytes ${salt}`);
    case 'array':
      return [salt, 1];
    case 'map':
      return { k: salt / 7 };
    case 'enum':
      return type.symbols[Math.abs(salt) % type.symbols.length];
    case 'record':
      return valueFor(type, salt);
    default:
      return salt;
  }
}
