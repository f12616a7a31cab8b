/** Schemas and rows for the column codec; payloads by avsc. */
import avsc from 'avsc';
import fc from 'fast-check';
import type { Row } from '../../../src/protocol/lane.ts';

const long = avsc.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
  toBuffer: (value: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(value);
    return bytes;
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (value: unknown) => typeof value === 'bigint',
  compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
});

export function avroType(schema: any): avsc.Type {
  return avsc.Type.forSchema(schema, {
    wrapUnions: 'auto',
    typeHook: (one: any) => (one === 'long' || one?.type === 'long' ? long : undefined),
  } as any);
}

interface Field {
  type: any;
  /** The i-th value of a series. */
  value: fc.Arbitrary<(i: number) => any>;
}

const steady = <T>(arbitrary: fc.Arbitrary<T>) => arbitrary.map((value) => () => value);
const loose = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.array(arbitrary, { minLength: 1, maxLength: 12 }).map((values) => (i: number) => values[i % values.length]!);
const either = <T>(arbitrary: fc.Arbitrary<T>) => fc.oneof(steady(arbitrary), loose(arbitrary));

const int32 = fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff });
const counter = fc.tuple(fc.integer({ min: -1e6, max: 1e6 }), fc.integer({ min: -900, max: 900 })).map(
  ([start, step]) =>
    (i: number) =>
      start + i * step,
);
const decimal = fc
  .tuple(fc.integer({ min: -1e6, max: 1e6 }), fc.integer({ min: 0, max: 9 }))
  .map(([whole, digits]) => whole / 10 ** digits);
const strange = fc.constantFrom(NaN, -0, Infinity, -Infinity, 1e300, 5e-324, 3.5e-45, 2 ** 48, -(2 ** 48));
const someLong = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.constantFrom(2n ** 48n, -(2n ** 48n), 2n ** 48n - 1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 50n),
  fc.bigInt({ min: -1000n, max: 1000n }),
);

const leaves: Record<string, Field> = {
  int: { type: 'int', value: fc.oneof(either(int32), counter) },
  long: {
    type: 'long',
    value: fc.oneof(
      either(someLong),
      counter.map((f) => (i: number) => BigInt(f(i))),
    ),
  },
  float: { type: 'float', value: either(fc.oneof(fc.float(), decimal, strange).map(Math.fround)) },
  double: { type: 'double', value: either(fc.oneof(fc.double(), decimal, strange)) },
  decimals: { type: 'double', value: counter.map((f) => (i: number) => f(i) / 100) },
  boolean: { type: 'boolean', value: either(fc.boolean()) },
  enum: { type: 'enum', value: either(fc.constantFrom('a', 'b', 'c')) },
  string: { type: 'string', value: either(fc.oneof(fc.string(), fc.string({ unit: 'binary', maxLength: 300 }))) },
  bytes: { type: 'bytes', value: either(fc.uint8Array({ maxLength: 300 }).map((b) => Buffer.from(b))) },
};

/** Names make records and enums distinct within one schema. */
let nameCount = 0;

const leaf: fc.Arbitrary<Field> = fc.constantFrom(...Object.values(leaves)).map((field) => {
  if (field.type !== 'enum') return field;
  return { type: { type: 'enum', name: `E${(nameCount += 1)}`, symbols: ['a', 'b', 'c'] }, value: field.value };
});

function nullable({ type, value }: Field, nullFirst: boolean): Field {
  return {
    type: nullFirst ? ['null', type] : [type, 'null'],
    value: fc.tuple(value, fc.array(fc.boolean(), { minLength: 1, maxLength: 7 })).map(
      ([of, there]) =>
        (i: number) =>
          there[i % there.length] ? of(i) : null,
    ),
  };
}

function record(fields: Field[]): Field {
  const names = fields.map((_, n) => `f${n}`);
  return {
    type: {
      type: 'record',
      name: `R${(nameCount += 1)}`,
      fields: fields.map(({ type }, n) => ({ name: names[n], type })),
    },
    value: fc
      .tuple(...fields.map(({ value }) => value))
      .map((series) => (i: number) => Object.fromEntries(series.map((of, n) => [names[n], of(i)]))),
  };
}

const anyField: fc.Arbitrary<Field> = fc.oneof(
  { weight: 5, arbitrary: leaf },
  { weight: 2, arbitrary: fc.tuple(leaf, fc.boolean()).map(([field, first]) => nullable(field, first)) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.array(leaf, { minLength: 1, maxLength: 3 }), fc.boolean(), leaf)
      .map(([fields, isNullable, last]) => {
        const inner = record([...fields, nullable(last, true)]);
        return isNullable ? nullable(inner, false) : inner;
      }),
  },
);

export const fingerprint = 7n;

export interface Traffic {
  avro: any;
  /** What is sent together: one row may go as a single event. */
  sendings: { rows: Row[]; asEvent: boolean }[];
}

/** Rows of a schema, with some JSON and some payloads that are no record of it, by a few streams. */
export const traffic: fc.Arbitrary<Traffic> = fc
  .array(anyField, { minLength: 1, maxLength: 6 })
  .map(record)
  .chain(({ type: avro, value }) =>
    fc
      .tuple(
        value,
        fc.array(
          fc.record({
            stream: fc.integer({ min: 0, max: 3 }),
            step: fc.constantFrom(0, 1000, 1000, 1000, 999, -5000),
            kind: fc.constantFrom('good', 'good', 'good', 'good', 'good', 'good', 'broken', 'json'),
            junk: fc.uint8Array({ maxLength: 9 }),
          }),
          { minLength: 1, maxLength: 50 },
        ),
        fc.array(fc.record({ size: fc.integer({ min: 1, max: 20 }), asEvent: fc.boolean() }), { minLength: 1 }),
      )
      .map(([of, draws, cuts]) => {
        const type = avroType(avro);
        let timestampMs = 1_763_784_000_000;
        const rows = draws.map(({ stream, step, kind, junk }, i): Row => {
          timestampMs += step;
          const good = type.toBuffer(of(i));
          const payload = kind === 'good' ? good : kind === 'broken' ? Buffer.concat([good, junk]) : Buffer.from(junk);
          const schema = kind === 'json' ? 0n : fingerprint;
          return { type: 'reading', key: `key-${stream}`, timestampMs, schema, payload };
        });
        const sendings: Traffic['sendings'] = [];
        for (let at = 0, n = 0; at < rows.length; n += 1) {
          const { size, asEvent } = cuts[n % cuts.length]!;
          const part = rows.slice(at, at + (asEvent ? 1 : size));
          sendings.push({ rows: part, asEvent });
          at += part.length;
        }
        return { avro, sendings };
      }),
  );
