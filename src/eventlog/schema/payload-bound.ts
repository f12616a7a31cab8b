import type avro from 'avsc';

/** Values in one payload, empty ones and records included: a few hostile bytes could claim billions of nothings. */
const minValueBound = 10_000;
const maxValuesPerByte = 16;
/** Records and collections in each other. */
const maxDepth = 256;

/**
 * Walks a payload by the schema that it was written with, and throws a RangeError where its bytes end too early, go on
 * too long, or claim more than can be there. avsc itself looks only at the end, after it has believed every count.
 */
export function checkPayload(type: avro.Type, payload: Uint8Array): void {
  const walk = new Walk(payload);
  walk.skip(type, 0);
  if (walk.left > 0) throw new RangeError(`${walk.left} bytes too many`);
}

class Walk {
  readonly #bytes: Uint8Array;
  readonly #maxValues: number;
  #at = 0;
  #values = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#maxValues = minValueBound + maxValuesPerByte * bytes.length;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  skip(type: avro.Type, depth: number): void {
    this.#values += 1;
    if (this.#values > this.#maxValues) throw new RangeError(`more than ${this.#maxValues} values`);
    if (depth > maxDepth) throw new RangeError(`deeper than ${maxDepth} records and collections`);
    const kind = type.typeName;
    if (kind === 'null') return;
    if (kind === 'boolean') this.#take(1);
    else if (kind === 'int' || kind === 'enum') this.#varint(5);
    else if (kind === 'long' || kind === 'abstract:long') this.#varint(10);
    else if (kind === 'float') this.#take(4);
    else if (kind === 'double') this.#take(8);
    else if (kind === 'string' || kind === 'bytes') this.#take(this.#length());
    else if (kind === 'fixed') this.#take((type as avro.types.FixedType).size);
    else if (kind === 'record' || kind === 'error') {
      for (const field of (type as avro.types.RecordType).fields) this.skip(field.type, depth + 1);
    } else if (kind === 'array') this.#collection((type as avro.types.ArrayType).itemsType, false, depth);
    else if (kind === 'map') this.#collection((type as avro.types.MapType).valuesType, true, depth);
    else this.#union((type as avro.types.WrappedUnionType).types, depth);
  }

  #union(types: readonly avro.Type[], depth: number): void {
    const branch = types[this.#length()];
    if (branch === undefined) throw new RangeError('a branch that the union does not have');
    this.skip(branch, depth + 1);
  }

  /** Blocks of items until an empty one; a negative count is followed by the block's size. */
  #collection(item: avro.Type, keyed: boolean, depth: number): void {
    for (;;) {
      let count = this.#varint(10);
      if (count === 0n) return;
      if (count < 0n) {
        count = -count;
        this.#length();
      }
      if (count > BigInt(this.#maxValues)) throw new RangeError(`a block of ${count} values`);
      for (let n = 0; n < Number(count); n += 1) {
        if (keyed) this.#take(this.#length());
        this.skip(item, depth + 1);
      }
    }
  }

  #length(): number {
    const length = this.#varint(10);
    if (length < 0n || length > BigInt(this.#bytes.length)) throw new RangeError(`a length of ${length}`);
    return Number(length);
  }

  /** Zigzag, as Avro has it. */
  #varint(maxBytes: number): bigint {
    let value = 0n;
    for (let n = 0; n < maxBytes; n += 1) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) throw new RangeError('the bytes end too early');
      this.#at += 1;
      value |= BigInt(byte & 0x7f) << BigInt(7 * n);
      if (byte < 0x80) return (value >> 1n) ^ -(value & 1n);
    }
    throw new RangeError(`a number of more than ${maxBytes} bytes`);
  }

  #take(bytes: number): void {
    if (bytes > this.left) throw new RangeError('the bytes end too early');
    this.#at += bytes;
  }
}
