import avro from 'avsc';

/**
 * Longs as bigint, whatever their size: avsc's own throw beyond 2^53. avsc hands the eight bytes little-endian.
 */
// oxlint-disable-next-line no-underscore-dangle -- avsc calls it so
const exactLong = avro.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
  toBuffer: (value: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(value);
    return bytes;
  },
  fromJSON: (value: number) => BigInt(value),
  toJSON: Number,
  isValid: (value: unknown) => typeof value === 'bigint',
  compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
});

/** The schema as avsc knows it, for its canonical form and for what it can read. Throws what avsc throws. */
export function plainType(document: unknown): avro.Type {
  return avro.Type.forSchema(structuredClone(document) as avro.Schema, { omitRecordMethods: true });
}

/** The schema for reading payloads: longs are bigint, every union says its branch. Throws what avsc throws. */
export function exactType(document: unknown): avro.Type {
  return avro.Type.forSchema(structuredClone(document) as avro.Schema, {
    typeHook: exactHook,
    wrapUnions: 'always',
    omitRecordMethods: true,
  });
}

/** Wherever a long stands, also as `{"type": "long", "logicalType": …}`. */
function exactHook(schema: unknown): avro.Type | undefined {
  const name = typeof schema === 'object' && schema !== null && 'type' in schema ? schema.type : schema;
  return name === 'long' ? exactLong : undefined;
}
