import type { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import type { Row } from './lane.ts';
import { maxKeyBytes, maxPayloadBytes, maxTypeBytes } from './limit.ts';
import { ProtocolError } from './protocol-error.ts';

/**
 * Rows one after the other, as our own processes hand them on (never on a wire to others). Each row is a byte of
 * flags, then what differs from the row before it, then its own:
 *
 *   u8 flags: 1 the same type, 2 the same key, 4 the same schema as the row before
 *   [text type] [text key] [u64 schema] varint timestampMs, block payload
 */
const sameType = 1;
const sameKey = 2;
const sameSchema = 4;

export function writePackedRows(body: ByteWriter, rows: readonly Row[]): void {
  let last: Row | undefined;
  for (const row of rows) {
    const flags =
      (row.type === last?.type ? sameType : 0) |
      (row.key === last?.key ? sameKey : 0) |
      (row.schema === last?.schema ? sameSchema : 0);
    body.byte(flags);
    if ((flags & sameType) === 0) body.text(row.type);
    if ((flags & sameKey) === 0) body.text(row.key);
    if ((flags & sameSchema) === 0) body.uint64(row.schema);
    body.varint(row.timestampMs);
    body.block(row.payload);
    last = row;
  }
}

/** Payloads are views of the reader's bytes. Throws ProtocolError when they are not `count` rows. */
export function* readPackedRows(body: ByteReader, count: number): Generator<Row> {
  let type: string | undefined;
  let key: string | undefined;
  let schema: bigint | undefined;
  for (let n = 0; n < count; n += 1) {
    const flags = body.byte();
    if ((flags & sameType) === 0) type = body.text(maxTypeBytes);
    if ((flags & sameKey) === 0) key = body.text(maxKeyBytes);
    if ((flags & sameSchema) === 0) schema = body.uint64();
    if (type === undefined || key === undefined || schema === undefined)
      throw new ProtocolError('value', 'the first row refers to one before it');
    yield { type, key, schema, timestampMs: body.varint(), payload: body.block(maxPayloadBytes) };
  }
}

/** A run of product rows of one lane, with what has to be known of it without reading it. */
export interface RowBlock {
  count: number;
  /** Distinct, without 0n. */
  schemas: readonly bigint[];
  /** Of the last row, by the device's clock. */
  lastTimestampMs: number;
  /** `writePackedRows`. */
  bytes: Uint8Array;
}

/** The product's: stored as it comes, nobody in the coordinator has to look into it. */
export function isProductRow({ type }: Pick<Row, 'type'>): boolean {
  return type !== '' && !type.startsWith('flotilla.') && !type.startsWith('coordinator.');
}
