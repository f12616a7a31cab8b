import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BatchDecoder,
  BatchEncoder,
  BatchWorkspace,
  EventDecoder,
  EventEncoder,
  LinkState,
  columnSchema,
  maxBatchRows,
} from '../../../src/protocol/columns/index.ts';
import type { Lane, Row } from '../../../src/protocol/lane.ts';
import { ProtocolError } from '../../../src/protocol/protocol-error.ts';
import {
  batches,
  eventSets,
  meterAvro,
  meterColumns,
  meterFingerprint,
  readEventSet,
  readStructSet,
} from '../../support/wire-vector.ts';
import { avroType, fingerprint, traffic } from './columns-arbitrary.ts';
import { NaiveReader, type NaiveRow } from './columns-naive.ts';

const plainRow = (lane: Lane, { type, key, schema, timestampMs, payload }: Row): NaiveRow => ({
  lane,
  type,
  key,
  schema,
  timestampMs,
  payload: Buffer.from(payload).toString('hex'),
});

/** One direction of a connection: our encoders against our decoders and the naive reader. */
function link(avro: any, packing: 'pack' | 'range', passing = false) {
  const columns = columnSchema(avro);
  const source = (): typeof columns => columns;
  const [sender, receiver] = [new LinkState(source, passing), new LinkState(source, passing)];
  return {
    sender,
    receiver,
    batches: { encoder: new BatchEncoder(sender, packing), decoder: new BatchDecoder(receiver) },
    events: { encoder: new EventEncoder(sender), decoder: new EventDecoder(receiver) },
    naive: new NaiveReader(() => avro, passing),
  };
}

function expectSameEverywhere(one: ReturnType<typeof link>, rows: Row[], lane: Lane, asEvent: boolean): Uint8Array {
  const expected = rows.map((row) => plainRow(lane, row));
  const { encoder: batchEncoder, decoder: batchDecoder } = one.batches;
  const body = asEvent ? one.events.encoder.encode(lane, rows[0]!) : batchEncoder.encode(lane, rows);
  if (asEvent) {
    const decoded = one.events.decoder.decode(body);
    expect([plainRow(decoded.lane, decoded.row)]).toEqual(expected);
    expect([one.naive.event(body)]).toEqual(expected);
  } else {
    const decoded = batchDecoder.decode(body);
    expect(decoded.rows.map((row) => plainRow(decoded.lane, row))).toEqual(expected);
    expect(one.naive.batch(body)).toEqual(expected);
  }
  return body;
}

describe('batches and events by column', () => {
  it.each(['pack', 'range'] as const)(
    'come back byte for byte over a connection, also from the naive twin (%s)',
    (packing) => {
      fc.assert(
        fc.property(traffic, ({ avro, sendings }) => {
          const one = link(avro, packing);
          sendings.forEach(({ rows, asEvent }, n) => {
            expectSameEverywhere(one, rows, (n % 4) as Lane, asEvent);
            expect(one.sender.token()).toBe(one.receiver.token());
          });
        }),
        { numRuns: 150 },
      );
    },
  );

  it('come back as well when jobs pass between the streams', () => {
    const job = fc.record({
      type: fc.constantFrom('job.start', 'job.run', 'job.cancel', 'flotilla.job', 'flotilla.job-output', 'jobs'),
      key: fc.constantFrom('', 'J1', 'J2', 'J10', 'KÖ', 'é'),
      timestampMs: fc.integer({ min: 1_763_784_000_000, max: 1_763_784_100_000 }),
      schema: fc.constantFrom(0n, 0n, fingerprint),
      payload: fc.uint8Array({ maxLength: 20 }),
    });
    const part = fc.record({ rows: fc.array(job, { minLength: 1, maxLength: 4 }), asEvent: fc.boolean() });
    const seen = new Set<string>();
    fc.assert(
      fc.property(traffic, fc.array(part, { maxLength: 20 }), ({ avro, sendings }, jobs) => {
        const one = link(avro, 'range', true);
        const mixed = Array.from({ length: Math.max(jobs.length, sendings.length) }, (_, n) => [sendings[n], jobs[n]]);
        mixed.flat().forEach((sending, n) => {
          if (sending === undefined) return;
          const rows = sending.asEvent ? sending.rows.slice(0, 1) : sending.rows;
          expectSameEverywhere(one, rows, (n % 4) as Lane, sending.asEvent);
          expect(one.sender.token()).toBe(one.receiver.token());
        });
        for (const what of one.naive.seen) seen.add(what);
      }),
      { numRuns: 200 },
    );
    expect(seen).toContain('event: passing');
    expect(seen).toContain('event: slot');
  });

  it('of jobs that pass leave nothing behind, however many there were', () => {
    const held = (passing: boolean): number => {
      const one = link(meterAvro, 'range', passing);
      for (let n = 0; n < 2_000; n += 1) {
        const row = { type: 'job.start', key: `job-${n}`, timestampMs: n, schema: 0n, payload: Buffer.from('{}') };
        one.events.decoder.decode(one.events.encoder.encode(0, row));
      }
      return one.receiver.heldBytes;
    };
    expect(held(true)).toBe(new LinkState(() => undefined).heldBytes);
    expect(held(false)).toBeGreaterThan(100_000);
  });

  it.each(eventSets)('read the event set %s as it was, in batches of 40 with singles between', (set) => {
    for (const packing of ['pack', 'range'] as const) {
      const one = link(meterAvro, packing);
      for (const batch of batches(readEventSet(set), 40)) {
        expectSameEverywhere(one, batch.slice(0, 35), 3, false);
        for (const row of batch.slice(35)) expectSameEverywhere(one, [row], 3, true);
      }
    }
  });

  it('are as small as they have to be', () => {
    const sizes = (rows: Row[], packing: 'pack' | 'range'): number[] => {
      const columns = meterColumns();
      const encoder = new BatchEncoder(new LinkState((fp) => (fp === meterFingerprint ? columns : undefined)), packing);
      return batches(rows).map((batch) => encoder.encode(3, batch).length);
    };
    const warm = (rows: Row[], packing: 'pack' | 'range' = 'pack'): number =>
      Math.max(...sizes(rows, packing).slice(1));
    expect(sizes(readEventSet('c1'), 'pack')[0]).toBeLessThanOrEqual(705);
    expect(warm(readEventSet('c1'))).toBeLessThanOrEqual(640);
    expect(warm(readEventSet('c1'), 'range')).toBeLessThanOrEqual(577);
    expect(warm(readEventSet('c2'))).toBeLessThanOrEqual(850);
    expect(warm(readEventSet('c3'))).toBeLessThanOrEqual(850);
    expect(Math.max(...sizes(readEventSet('b'), 'pack'))).toBeLessThanOrEqual(6_100);
    expect(Math.max(...sizes(readEventSet('c1-offgrid'), 'pack'))).toBeLessThanOrEqual(2_680);
    expect(Math.max(...sizes(readStructSet('c1'), 'pack'))).toBeLessThanOrEqual(2_330);
  });

  it('cost single readings 7.6 bytes on a warm link', () => {
    const columns = meterColumns();
    const encoder = new EventEncoder(new LinkState(() => columns));
    const sizes = readEventSet('c1').map((row) => encoder.encode(3, row).length);
    expect(sizes.slice(100).reduce((sum, bytes) => sum + bytes, 0) / 200).toBeLessThanOrEqual(7.6);
  });

  it('never grow random payloads by more than their metadata', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 60, maxLength: 60 }), { minLength: 1, maxLength: 50 }),
        (payloads) => {
          const rows = payloads.map((payload, i): Row => ({ type: 't', key: '', schema: 0n, timestampMs: i, payload }));
          const body = new BatchEncoder(new LinkState(() => undefined)).encode(0, rows);
          expect(body.length).toBeLessThanOrEqual(60 * rows.length + 40);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('share a workspace between connections without a trace of one in the other', () => {
    const columns = meterColumns();
    const workspace = new BatchWorkspace('range');
    const rows = readEventSet('c1').slice(0, 50);
    const alone = new BatchEncoder(new LinkState(() => columns), 'range').encode(3, rows);
    const first = new BatchEncoder(new LinkState(() => columns), workspace);
    first.encode(3, readEventSet('c2').slice(0, 70));
    expect(new BatchEncoder(new LinkState(() => columns), workspace).encode(3, rows)).toEqual(alone);
  });

  it('define a stream again when its slot was taken by others of the same batch', () => {
    const one = link(meterAvro, 'pack');
    const row = (key: number, timestampMs: number): Row => ({
      type: 't',
      key: `${key}`,
      schema: 0n,
      timestampMs,
      payload: Buffer.from([1]),
    });
    const upTo = (from: number, to: number): Row[] => Array.from({ length: to - from }, (_, n) => row(from + n, n));
    expectSameEverywhere(one, upTo(0, 1000), 3, false);
    // Streams 1000 to 1099 take the slots of 0 to 75; 0 to 9 are of this batch.
    expectSameEverywhere(one, [...upTo(0, 10), ...upTo(1000, 1100)], 3, false);
    expectSameEverywhere(one, upTo(0, 1024), 3, false);
    expectSameEverywhere(one, [row(5, 7)], 0, true);
    expect(one.sender.token()).toBe(one.receiver.token());
  });

  it('keep longs of any size, numbers of any kind and odd texts exact', () => {
    const avro = {
      type: 'record',
      name: 'Odd',
      fields: ['long', 'double', 'float', 'string', 'bytes'].map((type) => ({ name: type, type })),
    };
    const type = avroType(avro);
    const longs = [0n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 48n, 1n, 2n ** 53n + 1n, -(2n ** 50n), 7n];
    const doubles = [0, -0, NaN, Infinity, 1e308, 5e-324, 0.1, -123.456];
    const rows = longs.map((value, i): Row => ({
      type: 'odd',
      key: '',
      schema: fingerprint,
      timestampMs: i,
      payload: type.toBuffer({
        long: value,
        double: doubles[i],
        float: Math.fround(doubles[7 - i]!),
        string: '\ud800'.repeat(i),
        bytes: Buffer.alloc(i * 50, i),
      }),
    }));
    for (const packing of ['pack', 'range'] as const) {
      const one = link(avro, packing);
      expectSameEverywhere(one, rows, 1, false);
      for (const row of rows) expectSameEverywhere(one, [row], 1, true);
      expectSameEverywhere(one, rows.toReversed(), 1, false);
      expect(one.sender.token()).toBe(one.receiver.token());
    }
  });

  it.each(['pack', 'range'] as const)('empty all dictionaries when they run over together (%s)', (packing) => {
    const fields = Array.from({ length: 40 }, (_, n) => ({ name: `s${n}`, type: 'string' }));
    const avro = { type: 'record', name: 'Texts', fields };
    const one = link(avro, packing);
    const type = avroType(avro);
    const held: number[] = [];
    for (let n = 0; n < 90; n += 1) {
      // Every second text was there before: numbers of one column are written while another one empties all.
      const texts = fields.map(({ name }, slot) => [name, `${slot}:${n >> 1}:${'x'.repeat(n % 3 === 0 ? 300 : 60)}`]);
      const row = (time: number): Row => ({
        type: 't',
        key: `k${n % 3}`,
        schema: fingerprint,
        timestampMs: time,
        payload: type.toBuffer(Object.fromEntries(texts)),
      });
      expectSameEverywhere(one, n % 2 === 0 ? [row(n), row(n + 1)] : [row(n)], 3, n % 2 === 1);
      expect(one.sender.token()).toBe(one.receiver.token());
      held.push(one.receiver.heldBytes);
    }
    expect(held.some((bytes, n) => n > 0 && bytes < held[n - 1]! - 200_000)).toBe(true);
    expect(Math.max(...held)).toBeLessThan(262_144 + 64 * 1_024);
  });

  it('send a payload that would not come back the same as it is', () => {
    const avro = {
      type: 'record',
      name: 'R',
      fields: [
        { name: 'a', type: 'int' },
        { name: 'd', type: 'double' },
      ],
    };
    const good = Buffer.from('02000000000000f03f', 'hex');
    const odd = [
      '8200000000000000f03f',
      '02000000000000f87f01',
      '02010000000000f87f',
      '02',
      '',
      'ffffffff1f0000000000000000',
    ];
    const payloads = [good, ...odd.map((hex) => Buffer.from(hex, 'hex')), good];
    const rows = payloads.map((payload, i): Row => ({ type: 't', key: '', schema: 9n, timestampMs: i, payload }));
    const one = link(avro, 'pack');
    expectSameEverywhere(one, rows, 3, false);
    for (const row of rows) expectSameEverywhere(one, [row], 3, true);
  });

  it('keep numbers that a finer grid of the same column is too small for', () => {
    // Found by the generator: 2.8e12 is a whole number, 0.01 asks for hundredths, in which 2.8e12 is over 2^48.
    const avro = {
      type: 'record',
      name: 'R',
      fields: [
        { name: 'f', type: 'float' },
        { name: 'i', type: 'int' },
      ],
    };
    const values: [number, number][] = [
      [0.01, 0],
      [2.8e12, 7],
      [NaN, -0x8000_0000],
      [0.01, 0x7fff_ffff],
      [2.8e12, 1],
    ];
    const rows = values.map(([f, i], n): Row => {
      const payload = avroType(avro).toBuffer({ f: Math.fround(f), i });
      return { type: 't', key: '', schema: 9n, timestampMs: n, payload };
    });
    for (const packing of ['pack', 'range'] as const) {
      const one = link(avro, packing);
      for (const row of rows) expectSameEverywhere(one, [row], 3, true);
      expectSameEverywhere(one, rows, 3, false);
      expectSameEverywhere(one, [...rows.slice(3), ...rows], 3, false);
    }
  });

  it('refuse a batch that cannot travel and stay as they were', () => {
    const state = new LinkState(() => undefined);
    const encoder = new BatchEncoder(state);
    const row: Row = { type: 't', key: 'k', schema: 0n, timestampMs: 1, payload: Buffer.alloc(10) };
    const before = state.token();
    expect(() => encoder.encode(0, [])).toThrow(ProtocolError);
    expect(() =>
      encoder.encode(
        0,
        Array.from({ length: maxBatchRows + 1 }, () => row),
      ),
    ).toThrow(ProtocolError);
    expect(() => encoder.encode(0, [row, { ...row, timestampMs: -1 }])).toThrow(ProtocolError);
    const large = { ...row, payload: Buffer.alloc(900_000) };
    expect(() => encoder.encode(0, [large, large, large, large, large])).toThrow(ProtocolError);
    expect(state.token()).toBe(before);
  });

  it('have no columns for what has none', () => {
    const field = (type: unknown): unknown => ({ type: 'record', name: 'R', fields: [{ name: 'f', type }] });
    const without = [
      'int',
      { type: 'enum', name: 'E', symbols: ['a'] },
      field({ type: 'array', items: 'int' }),
      field({ type: 'map', values: 'int' }),
      field({ type: 'fixed', name: 'F', size: 4 }),
      field(['int', 'string']),
      field(['null', 'int', 'string']),
      field(['null', 'R']),
      field('Unknown'),
      { type: 'record', name: 'R', fields: Array.from({ length: 65 }, (_, n) => ({ name: `f${n}`, type: 'int' })) },
      null,
      [],
    ];
    for (const avro of without) expect(columnSchema(avro)).toBeUndefined();
    const named = { type: 'enum', name: 'E', namespace: 'x', symbols: ['a', 'b'] };
    const twice = {
      type: 'record',
      name: 'x.R',
      fields: [
        { name: 'a', type: named },
        { name: 'b', type: 'E' },
      ],
    };
    expect(columnSchema(twice)?.slots.map(({ kind, max }) => `${kind} ${max}`)).toEqual(['enum 1', 'enum 1']);
    const time = { type: 'long', logicalType: 'timestamp-millis' };
    expect(columnSchema(field(time))?.slots.map(({ kind }) => kind)).toEqual(['long']);
  });
});
