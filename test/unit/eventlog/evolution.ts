/** Generated schemas of one event type, and what may and may not become of them. */
import fc from 'fast-check';

export interface FieldDocument {
  name: string;
  type: unknown;
  default?: unknown;
  unit?: string;
  scale?: number;
}

export interface RecordDocument {
  type: 'record';
  name: string;
  fields: FieldDocument[];
}

export const record = (fields: FieldDocument[]): RecordDocument => ({ type: 'record', name: 'meter.Reading', fields });

let enums = 0;
const enumType = () => {
  enums += 1;
  return { type: 'enum', name: `Phase${enums}`, symbols: ['A', 'B', 'C'], default: 'A' };
};

/** A type with a default that fits it. */
const typed = fc.oneof(
  fc.constantFrom<[unknown, unknown][]>(
    ['boolean', true],
    ['int', -3],
    ['long', 2 ** 40],
    ['float', 0.5],
    ['double', 1e300],
    ['string', 'none'],
    ['bytes', '\u00ff\u0000'],
    [['null', 'long'], null],
    [['string', 'null'], 'unset'],
    [{ type: 'array', items: 'int' }, [1, 2]],
    [{ type: 'map', values: 'double' }, { a: 1 }],
    [{ type: 'long', logicalType: 'timestamp-millis' }, 0],
  ),
  fc.constant(null).map((): [unknown, unknown] => [enumType(), 'B']),
);

const field = (name: string, optional: fc.Arbitrary<boolean> = fc.boolean()): fc.Arbitrary<FieldDocument> =>
  fc
    .record({ typed, optional, unit: fc.constantFrom(undefined, 'V', 'kWh') })
    .map(({ typed: [type, value], ...rest }) => ({
      name,
      type,
      ...(rest.optional ? { default: value } : {}),
      ...(rest.unit === undefined ? {} : { unit: rest.unit }),
    }));

/** One to six fields `a`, `b`, …; the first never has a default, the second always has. */
export const firstVersion: fc.Arbitrary<RecordDocument> = fc
  .integer({ min: 2, max: 6 })
  .chain((count) =>
    fc.tuple(
      ...Array.from({ length: count }, (_, n) =>
        field(String.fromCharCode(97 + n), n < 2 ? fc.constant(n === 1) : fc.boolean()),
      ),
    ),
  )
  .map(record);

type Change = (before: RecordDocument, tag: string) => RecordDocument;

const symbols = (type: unknown): type is { symbols: string[] } =>
  typeof type === 'object' && type !== null && 'symbols' in type;

const allowed: Record<string, Change> = {
  add: (before, tag) => record([...before.fields, { name: `n${tag}`, type: 'long', default: 7, unit: 'ms' }]),
  addNested: (before, tag) => {
    const inner = { type: 'record', name: `In${tag}`, fields: [{ name: 'x', type: 'int', default: 1 }] };
    return record([{ name: `r${tag}`, type: inner, default: { x: 4 } }, ...before.fields]);
  },
  remove: (before) => record(before.fields.filter((one) => one !== before.fields.find((each) => 'default' in each))),
  reorder: (before) => record(before.fields.toReversed()),
  symbol: (before, tag) =>
    record(
      before.fields.map((one) =>
        symbols(one.type) ? { ...one, type: { ...one.type, symbols: [...one.type.symbols, `S${tag}`] } } : one,
      ),
    ),
  text: (before) =>
    record(
      before.fields.map((one) => (one.type === 'string' && !('default' in one) ? { ...one, type: 'bytes' } : one)),
    ),
  doc: (before) => ({ ...before, doc: 'a word' }) as RecordDocument,
};

/** Versions of which each may follow the ones before it. */
export const evolution: fc.Arbitrary<RecordDocument[]> = fc
  .tuple(firstVersion, fc.array(fc.constantFrom(...Object.keys(allowed)), { minLength: 1, maxLength: 5 }))
  .map(([first, changes]) =>
    changes.reduce(
      (versions, name, n) => {
        const next = allowed[name]!(versions.at(-1)!, String(n));
        return next.fields.length === 0 ? versions : [...versions, next];
      },
      [first],
    ),
  );

const changeFirst = (before: RecordDocument, change: Partial<FieldDocument>) =>
  record(before.fields.map((one, n) => (n === 0 ? { ...one, ...change } : one)));

/** By name: a version that must not follow, and the field that is to blame. */
export const forbidden: Record<string, (before: RecordDocument) => { next: RecordDocument; field: string }> = {
  'a new field without a default': (before) => ({
    next: record([...before.fields, { name: 'added', type: 'int' }]),
    field: 'added',
  }),
  'a removed field without a default': (before) => ({ next: record(before.fields.slice(1)), field: 'a' }),
  'another unit': (before) => ({ next: changeFirst(before, { unit: 'furlong' }), field: 'a' }),
  'another scale': (before) => ({ next: changeFirst(before, { scale: 1000 }), field: 'a' }),
  'another type': (before) => ({ next: changeFirst(before, { type: { type: 'array', items: 'string' } }), field: 'a' }),
  'an enum without a default symbol': (before) => ({
    next: record([
      ...before.fields,
      { name: 'phase', type: { type: 'enum', name: 'E', symbols: ['X'] }, default: 'X' },
    ]),
    field: 'phase',
  }),
  'a union of two types': (before) => ({
    next: record([...before.fields, { name: 'either', type: ['null', 'int', 'string'], default: null }]),
    field: 'either',
  }),
  'a fault deep inside': (before) => {
    const inner = {
      type: 'record',
      name: 'Deep',
      fields: [{ name: 'e', type: { type: 'enum', name: 'E', symbols: ['X'] } }],
    };
    return {
      next: record([...before.fields, { name: 'list', type: { type: 'array', items: inner }, default: [] }]),
      field: 'list.e',
    };
  },
};
