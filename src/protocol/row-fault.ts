import { Buffer } from 'node:buffer';
import type { Row } from './lane.ts';
import { maxKeyBytes, maxPayloadBytes, maxTimestampMs, maxTypeBytes } from './limit.ts';

/** Why a row can't travel, or undefined: asked before it is logged, so that no log holds a row that wedges its lane. */
export function rowFault(row: Row): string | undefined {
  const typeBytes = Buffer.byteLength(row.type);
  if (typeBytes === 0 || typeBytes > maxTypeBytes) return `type of ${typeBytes} bytes, expected 1 to ${maxTypeBytes}`;
  const keyBytes = Buffer.byteLength(row.key);
  if (keyBytes > maxKeyBytes) return `key of ${keyBytes} bytes, expected at most ${maxKeyBytes}`;
  if (!row.type.isWellFormed() || !row.key.isWellFormed()) return 'type or key is not well-formed Unicode';
  const { timestampMs } = row;
  if (!Number.isInteger(timestampMs) || timestampMs < 0 || timestampMs > maxTimestampMs) {
    return `time ${timestampMs}, expected whole milliseconds from 0 to ${maxTimestampMs}`;
  }
  if (row.schema < 0n || row.schema > 0xffff_ffff_ffff_ffffn) return `schema ${row.schema} is not 64 bits`;
  if (row.payload.length > maxPayloadBytes) {
    return `payload of ${row.payload.length} bytes, expected at most ${maxPayloadBytes}`;
  }
  return undefined;
}
