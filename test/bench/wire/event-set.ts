import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import avro from 'avsc';
import type { Row } from '../../../src/protocol/lane.ts';
import { avroFingerprint } from '../../../src/protocol/avro-fingerprint.ts';

export const defaultVectorDirectory = join(import.meta.dirname, '..', '..', 'vectors', 'wire');

/** One line of a vector, and what each kind of link makes of it. */
export interface WireEvent {
  type: string;
  /** 16 hex digits. */
  key: string;
  tsMs: number;
  /** For the Flotilla link: raw bytes, or an Avro record under its schema's fingerprint. */
  row: Row;
  /** For brokers: a packed struct. Of readings it holds id and time; of random bytes it does not. */
  body: Buffer;
  /** `body` with id and time: a row of a batch. */
  packed: Buffer;
  /** For HTTP and WebSocket: an object for JSON. */
  json: object;
}

interface Line {
  type: string;
  schema: string | null;
  key: string;
  tsMs: number;
  bytes?: string;
  value?: Record<string, number>;
}

/** The schema of the readings, for both ends of the Flotilla link. */
export interface MeterSchema {
  fingerprint: bigint;
  text: string;
}

export async function meterSchema(directory: string): Promise<MeterSchema> {
  const text = await readFile(join(directory, 'meter-reading.avsc'), 'utf8');
  const schema = avro.Type.forSchema(JSON.parse(text) as avro.Schema);
  return { fingerprint: avroFingerprint(JSON.stringify(schema.schema())), text };
}

/** Reads one set. `randomBytes` cuts the bytes of a set without a schema. */
export async function loadEventSet(directory: string, name: string, randomBytes?: number): Promise<WireEvent[]> {
  const text = await readFile(join(directory, `${name}.ndjson`), 'utf8');
  const lines = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
  const { fingerprint, text: schemaText } = await meterSchema(directory);
  const schema = avro.Type.forSchema(JSON.parse(schemaText) as avro.Schema);
  return lines.map((line) => {
    const { type, key, tsMs, value } = line;
    if (value !== undefined) {
      const packed = Buffer.concat([header(line), packReading(value)]);
      const row = { type, key, timestampMs: tsMs, schema: fingerprint, payload: schema.toBuffer(value) };
      return { type, key, tsMs, row, body: packed, packed, json: { type, schema: line.schema, key, tsMs, value } };
    }
    const bytes = Buffer.from(line.bytes!, 'base64').subarray(0, randomBytes);
    const row = { type, key, timestampMs: tsMs, schema: 0n, payload: bytes };
    const packed = Buffer.concat([header(line), bytes]);
    return { type, key, tsMs, row, body: bytes, packed, json: { type, key, tsMs, bytes: bytes.toString('base64') } };
  });
}

/** id u64, tsMs u64. */
function header({ key, tsMs }: Line): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeBigUInt64LE(BigInt(`0x${key}`), 0);
  bytes.writeBigUInt64LE(BigInt(tsMs), 8);
  return bytes;
}

/** Five f32, two f64, two u32: with the header, 60 bytes. */
function packReading(value: Record<string, number>): Buffer {
  const bytes = Buffer.alloc(44);
  let at = 0;
  for (const name of ['voltage', 'current', 'power', 'pf', 'freq']) at = bytes.writeFloatLE(value[name]!, at);
  for (const name of ['kwhImport', 'kwhCredit']) at = bytes.writeDoubleLE(value[name]!, at);
  for (const name of ['state', 'uptime']) at = bytes.writeUInt32LE(value[name]!, at);
  return bytes;
}
