import type { Row } from '../protocol/lane.ts';
import { idOf, idText } from './device-schema.ts';

/** A row as it stands in `outbox` and `inbox`. */
export interface RowRecord {
  lane: number;
  seq: number;
  type: string;
  key: string;
  timestamp_ms: number;
  schema: string | null;
  payload: Uint8Array;
}

export function rowColumns(row: Row): [string, string, number, string | null, Uint8Array] {
  return [row.type, row.key, row.timestampMs, row.schema === 0n ? null : idText(row.schema), row.payload];
}

export function rowOf(record: RowRecord): Row {
  const { type, key, timestamp_ms: timestampMs, schema, payload } = record;
  return { type, key, timestampMs, schema: schema === null ? 0n : idOf(schema), payload };
}
