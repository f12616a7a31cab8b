/** The event sets of test/vectors/wire as rows; payloads by avsc, so that no code of ours judges itself. */
import { readFileSync } from 'node:fs';
import avsc from 'avsc';
import { columnSchema, type ColumnSchema } from '../../src/protocol/columns/schema.ts';
import type { Row } from '../../src/protocol/lane.ts';

export const eventSets = ['b', 'c1', 'c1-jitter', 'c1-offgrid', 'c2', 'c3'] as const;
export type EventSet = (typeof eventSets)[number];

const folder = new URL('../vectors/wire/', import.meta.url);

export interface MeterReading {
  voltage: number;
  current: number;
  power: number;
  pf: number;
  freq: number;
  kwhImport: number;
  kwhCredit: number;
  state: number;
  uptime: number;
}

/** Any number but 0n: who sends and who receives agree on it. */
export const meterFingerprint = 0x5a1e_0001n;
export const meterAvro = JSON.parse(readFileSync(new URL('meter-reading.avsc', folder), 'utf8')) as avsc.Schema;

export function meterColumns(): ColumnSchema {
  const schema = columnSchema(meterAvro);
  if (schema === undefined) throw new Error('the meter schema has no columns');
  return schema;
}

interface Line {
  type: string;
  key: string;
  tsMs: number;
  bytes?: string;
  value?: MeterReading;
}

function lines(set: EventSet): Line[] {
  const text = readFileSync(new URL(`${set}.ndjson`, folder), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}

/** 300 rows; `b` has random bytes and no schema. */
export function readEventSet(set: EventSet): Row[] {
  const type = avsc.Type.forSchema(meterAvro);
  return lines(set).map(({ value, bytes, ...line }) => ({
    type: line.type,
    key: line.key,
    timestampMs: line.tsMs,
    schema: value === undefined ? 0n : meterFingerprint,
    payload: value === undefined ? Buffer.from(bytes ?? '', 'base64') : type.toBuffer(value),
  }));
}

/** The same readings as packed structs of 60 bytes without a schema: id, time, five floats, two doubles, two words. */
export function readStructSet(set: EventSet): Row[] {
  return lines(set).map(({ value, ...line }) => {
    if (value === undefined) throw new Error(`${set} holds no readings`);
    const payload = Buffer.alloc(60);
    payload.writeBigUInt64LE(BigInt(`0x${line.key}`), 0);
    payload.writeBigUInt64LE(BigInt(line.tsMs), 8);
    const { voltage, current, power, pf, freq } = value;
    [voltage, current, power, pf, freq].forEach((number, n) => payload.writeFloatLE(number, 16 + 4 * n));
    payload.writeDoubleLE(value.kwhImport, 36);
    payload.writeDoubleLE(value.kwhCredit, 44);
    payload.writeUInt32LE(value.state, 52);
    payload.writeUInt32LE(value.uptime, 56);
    return { type: line.type, key: line.key, timestampMs: line.tsMs, schema: 0n, payload };
  });
}

/** The first batch is cold, the later ones are warm. */
export function batches(rows: readonly Row[], size = 100): Row[][] {
  return Array.from({ length: Math.ceil(rows.length / size) }, (_, n) => rows.slice(n * size, (n + 1) * size));
}
