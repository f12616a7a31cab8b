import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { avroFingerprint } from '../../../src/protocol/avro-fingerprint.ts';
import { canonicalForm } from '../../../src/protocol/canonical-form.ts';
import type { RowMessage } from '../../../src/protocol/message.ts';
import { ProtocolError } from '../../../src/protocol/protocol-error.ts';
import { RowDecoder } from '../../../src/protocol/row-decoder.ts';
import { readSchema } from '../../../src/protocol/schema-catalogue.ts';
import { NaiveReader, type NaiveRow } from './columns-naive.ts';

interface Frame {
  frame: 'batch' | 'event';
  body: string;
}
type VectorRow = [type: string, key: string, schema: string, timestampMs: number, payload: string];
interface Direction {
  name: string;
  schemas: Record<string, string>;
  steps: (Frame & { meaning: string; lane: number; rows: VectorRow[] })[];
}
interface Malformed extends Frame {
  name: string;
  schemas: Record<string, string>;
  before: Frame[];
  code: string;
}

/** For every implementation: what the text of the format has, at least once. */
const { directions, malformed } = JSON.parse(
  readFileSync(new URL('../../vectors/protocol/columns.json', import.meta.url), 'utf8'),
) as { directions: Direction[]; malformed: Malformed[] };

const bodyOf = ({ body }: Frame): Buffer => Buffer.from(body, 'hex');
const messageOf = (frame: Frame): RowMessage => ({ type: frame.frame, body: bodyOf(frame) });
const hex = (value: bigint): string => value.toString(16).padStart(16, '0');

function decoderOf(schemas: Record<string, string>): RowDecoder {
  return new RowDecoder(
    new Map(Object.entries(schemas).map(([fingerprint, text]) => [BigInt(`0x${fingerprint}`), readSchema(text)])),
  );
}

function naiveOf(schemas: Record<string, string>): NaiveReader {
  return new NaiveReader((fingerprint) => JSON.parse(schemas[hex(fingerprint)]!) as unknown);
}

describe('the vectors of columns', () => {
  it.each(directions.map((one) => [one.name, one] as const))('are read as they say: %s', (_, { schemas, steps }) => {
    const decoder = decoderOf(schemas);
    for (const step of steps) {
      const { lane, rows } = decoder.decode(messageOf(step));
      expect(lane, step.meaning).toBe(step.lane);
      expect(
        rows.map(({ type, key, schema, timestampMs, payload }) => [
          type,
          key,
          hex(schema),
          timestampMs,
          Buffer.from(payload).toString('hex'),
        ]),
        step.meaning,
      ).toEqual(step.rows);
    }
  });

  it('are read alike by the naive twin, and have all that the format has', () => {
    const seen = new Set<string>();
    for (const { schemas, steps } of directions) {
      const naive = naiveOf(schemas);
      for (const step of steps) {
        const rows: NaiveRow[] = step.frame === 'batch' ? naive.batch(bodyOf(step)) : [naive.event(bodyOf(step))];
        expect(rows.map((row) => [row.type, row.key, hex(row.schema), row.timestampMs, row.payload])).toEqual(
          step.rows,
        );
      }
      for (const one of naive.seen) seen.add(one);
    }
    const kinds = ['int', 'long', 'float', 'double', 'enum', 'string', 'bytes'];
    const all = [
      ...[0, 1, 2, 3, 4, 5, 6].map((coding) => `coding ${coding}`),
      ...[0, 1, 2, 3].map((predictor) => `predictor ${predictor}`),
      'divisor',
      'domain',
      'start',
      'range bytes',
      ...[0, 1, 2, 3, 0x40, 0x80].map((form) => `definition ${form}`),
      ...[0, 1, 2].map((form) => `blob ${form}`),
      ...[0, 1, 2].map((form) => `group ${form}`),
      ...[...kinds, 'presence', 'boolean'].map((kind) => `batch: ${kind}`),
      ...kinds.map((kind) => `event: ${kind}`),
      'event: new stream',
      'event: slot',
      'event: columns',
      'event: as it is',
      'event: domains',
      'slot taken again',
      'dictionary emptied',
      'all dictionaries emptied',
    ];
    expect(all.filter((what) => !seen.has(what))).toEqual([]);
  });

  it('name each schema by its fingerprint', () => {
    for (const { schemas } of [...directions, ...malformed]) {
      for (const [fingerprint, text] of Object.entries(schemas)) {
        expect(hex(avroFingerprint(canonicalForm(JSON.parse(text))))).toBe(fingerprint);
      }
    }
  });

  it.each(malformed.map((one) => [one.name, one] as const))(
    'are refused: %s',
    (_, { schemas, before, code, ...last }) => {
      const decoder = decoderOf(schemas);
      for (const frame of before) decoder.decode(messageOf(frame));
      let seen: unknown;
      try {
        decoder.decode(messageOf(last));
      } catch (error) {
        seen = error;
      }
      expect(seen).toBeInstanceOf(ProtocolError);
      expect((seen as ProtocolError).code).toBe(`protocol-${code}`);
    },
  );
});
