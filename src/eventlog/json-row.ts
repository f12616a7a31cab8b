import { Buffer } from 'node:buffer';
import { FlotillaError } from '../error.ts';
import type { Row } from '../protocol/lane.ts';

/** A row whose payload is JSON (schema 0n). */
export function jsonRow(option: { type: string; key?: string; timestampMs: number; value: unknown }): Row {
  const text = JSON.stringify(option.value);
  if (text === undefined)
    throw new FlotillaError('ours', 'eventlog-not-json', `${option.type} has a payload that is not JSON`);
  return {
    type: option.type,
    key: option.key ?? '',
    timestampMs: Math.floor(option.timestampMs),
    schema: 0n,
    payload: Buffer.from(text, 'utf8'),
  };
}

/** The value of a JSON payload; its shape is still to be checked. Throws `eventlog-not-json`. */
export function parseJsonRow(row: Pick<Row, 'type' | 'schema' | 'payload'>): unknown {
  if (row.schema !== 0n) {
    throw new FlotillaError(
      'failed',
      'eventlog-not-json',
      `${row.type} has a payload of schema ${row.schema.toString(16)}`,
      {
        expected: 'schema 0, JSON',
      },
    );
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(row.payload));
  } catch (cause) {
    throw new FlotillaError('failed', 'eventlog-not-json', `the payload of ${row.type} is not JSON`, { cause });
  }
}
