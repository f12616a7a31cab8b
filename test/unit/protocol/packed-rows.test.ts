import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteReader } from '../../../src/protocol/byte-reader.ts';
import { ByteWriter } from '../../../src/protocol/byte-writer.ts';
import type { Row } from '../../../src/protocol/lane.ts';
import { isProductRow, readPackedRows, writePackedRows } from '../../../src/protocol/packed-rows.ts';
import { runsOf } from '../../../src/coordinator/gateway/row-run.ts';

const row: fc.Arbitrary<Row> = fc.record({
  type: fc.constantFrom('meter.Reading', 'door.opened', 'flotilla.grains', 'coordinator.boot', 'ä'),
  key: fc.constantFrom('', '00124b0014d00000', 'x'),
  timestampMs: fc.nat(2 ** 47),
  schema: fc.constantFrom(0n, 1n, 0xffff_ffff_ffff_ffffn),
  payload: fc.uint8Array({ maxLength: 40 }),
});

function pack(rows: readonly Row[]): Uint8Array {
  const body = new ByteWriter();
  writePackedRows(body, rows);
  return body.take();
}

describe('packed rows', () => {
  it('come back as they were', () => {
    fc.assert(
      fc.property(fc.array(row, { maxLength: 30 }), (rows) => {
        const body = new ByteReader(pack(rows));
        const read = [...readPackedRows(body, rows.length)];
        expect(read.map((one) => ({ ...one, payload: Uint8Array.from(one.payload) }))).toEqual(rows);
        body.end();
      }),
    );
  });

  it('say what is the same as in the row before once', () => {
    const rows = Array.from({ length: 3 }, (_, n) => ({
      type: 'a.b',
      key: 'k',
      timestampMs: n,
      schema: 0n,
      payload: new Uint8Array([n]),
    }));
    expect(Buffer.from(pack(rows)).toString('hex')).toBe(
      // flags 0, type, key, schema, time 0, payload; then twice flags 7, time, payload
      ['00', '03612e62', '016b', '0000000000000000', '00', '0100', '07', '01', '0101', '07', '02', '0102'].join(''),
    );
  });

  it('are refused when they end early or begin with a reference', () => {
    const bytes = pack([{ type: 'a', key: '', timestampMs: 1, schema: 0n, payload: new Uint8Array(3) }]);
    for (let length = 0; length < bytes.length; length += 1) {
      expect(() => [...readPackedRows(new ByteReader(bytes.subarray(0, length)), 1)]).toThrow();
    }
    expect(() => [...readPackedRows(new ByteReader(Uint8Array.of(7, 0, 0)), 1)]).toThrow(/first row/);
  });
});

describe('runs of rows', () => {
  it('are all rows in order, each of one kind, none next to its like', () => {
    fc.assert(
      fc.property(fc.array(row, { maxLength: 30 }), fc.integer({ min: 1, max: 1_000 }), (rows, firstSeq) => {
        const runs = runsOf(firstSeq, rows);
        expect(runs.flatMap((run) => run.rows)).toEqual(rows);
        let seq = firstSeq;
        for (const [n, run] of runs.entries()) {
          expect(run.firstSeq).toBe(seq);
          seq += run.rows.length;
          for (const one of run.rows) expect(isProductRow(one)).toBe(run.isProduct);
          if (n > 0) expect(run.isProduct).toBe(!runs[n - 1]!.isProduct);
        }
      }),
    );
  });
});
