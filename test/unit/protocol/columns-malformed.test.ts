import { zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BatchDecoder,
  BatchEncoder,
  EventDecoder,
  EventEncoder,
  LinkState,
  maxBatchPayloadBytes,
} from '../../../src/protocol/columns/index.ts';
import type { Row } from '../../../src/protocol/lane.ts';
import { ProtocolError } from '../../../src/protocol/protocol-error.ts';
import { batches, meterColumns, meterFingerprint, readEventSet, readStructSet } from '../../support/wire-vector.ts';

const columns = meterColumns();
const source = (fingerprint: bigint): typeof columns | undefined =>
  fingerprint === meterFingerprint ? columns : undefined;

/** Decoded or refused with a ProtocolError: nothing else. */
function survives(decode: () => Row[]): 'decoded' | 'refused' {
  try {
    const bytes = decode().reduce((sum, row) => sum + row.payload.length, 0);
    expect(bytes).toBeLessThanOrEqual(maxBatchPayloadBytes);
    return 'decoded';
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return 'refused';
  }
}

const json = (n: number): Row => ({
  type: 'note',
  key: `${n}`,
  schema: 0n,
  timestampMs: n,
  payload: Buffer.from(JSON.stringify({ n, text: 'again and again '.repeat(n) })),
});

/** Valid bodies of one connection, in order: the decoder is fed the first ones and then a changed one. */
const corpus = (['pack', 'range'] as const).flatMap((packing) =>
  [
    readEventSet('c1'),
    readEventSet('c1-offgrid'),
    readEventSet('c2'),
    readStructSet('c1'),
    [...Array(40).keys()].map(json),
  ].map((rows) => {
    const encoder = new BatchEncoder(new LinkState(source), packing);
    return batches(rows.slice(0, 90), 30).map((batch) => encoder.encode(3, batch));
  }),
);

const eventCorpus = [readEventSet('c1'), readEventSet('c1-offgrid'), readEventSet('c2')].map((rows) => {
  const encoder = new EventEncoder(new LinkState(source));
  return rows.slice(0, 25).map((row) => Buffer.from(encoder.encode(3, row)));
});

/** What a broken peer or a broken link does to bytes. */
const change = fc.array(
  fc.record({
    kind: fc.constantFrom('flip', 'set', 'cut', 'insert', 'remove', 'copy'),
    at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    value: fc.constantFrom(0, 1, 2, 3, 0x40, 0x7f, 0x80, 0xff, 0x10, 0x20),
    length: fc.integer({ min: 1, max: 12 }),
  }),
  { minLength: 1, maxLength: 4 },
);

type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

function changed(bytes: Uint8Array, changes: Change): Uint8Array {
  let result = Buffer.from(bytes);
  for (const { kind, at, value, length } of changes) {
    const i = Math.floor(at * result.length);
    const [head, tail] = [result.subarray(0, i), result.subarray(i)];
    if (kind === 'flip' && result.length > 0) result[i] = result[i]! ^ (1 << (length & 7));
    else if (kind === 'set' && result.length > 0) result[i] = value;
    else if (kind === 'cut') result = Buffer.from(head);
    else if (kind === 'insert') result = Buffer.concat([head, Buffer.alloc(length, value), tail]);
    else if (kind === 'remove') result = Buffer.concat([head, tail.subarray(length)]);
    else result = Buffer.concat([head, tail.subarray(0, length), tail]);
  }
  return result;
}

describe('malformed batches and events', () => {
  it('are refused with a ProtocolError or read as something else, never worse', () => {
    let refused = 0;
    fc.assert(
      fc.property(fc.constantFrom(...corpus), fc.integer({ min: 0, max: 2 }), change, (bodies, which, changes) => {
        const n = Math.min(which, bodies.length - 1);
        const decoder = new BatchDecoder(new LinkState(source));
        for (const body of bodies.slice(0, n)) decoder.decode(body);
        if (survives(() => decoder.decode(changed(bodies[n]!, changes)).rows) === 'refused') refused += 1;
      }),
      { numRuns: 1_200 },
    );
    expect(refused).toBeGreaterThan(500);
  });

  it('are refused or read for single events as well', () => {
    fc.assert(
      fc.property(fc.constantFrom(...eventCorpus), fc.integer({ min: 0, max: 24 }), change, (bodies, n, changes) => {
        const decoder = new EventDecoder(new LinkState(source));
        for (const body of bodies.slice(0, n)) decoder.decode(body);
        survives(() => [decoder.decode(changed(bodies[n]!, changes)).row]);
        // The state may be any now: still no crash.
        for (const body of bodies.slice(n)) survives(() => [decoder.decode(body).row]);
      }),
      { numRuns: 300 },
    );
  });

  it('may be any bytes at all', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        survives(() => new BatchDecoder(new LinkState(source)).decode(bytes).rows);
        survives(() => [new EventDecoder(new LinkState(source)).decode(bytes).row]);
      }),
      { numRuns: 1_500 },
    );
  });

  it('are refused when they are cut anywhere', () => {
    for (const bodies of corpus) {
      const [body] = bodies;
      for (let length = 0; length < body!.length; length += length < 100 ? 1 : 13) {
        const decoder = new BatchDecoder(new LinkState(source));
        expect(survives(() => decoder.decode(body!.subarray(0, length)).rows)).toBe('refused');
      }
    }
  });

  it('are refused when a byte is left over', () => {
    for (const bodies of corpus) {
      const body = Buffer.concat([bodies[0]!, Buffer.from([1])]);
      const usesRange = (body[0]! & 4) > 0;
      // With a range coder the last bytes are its own: one more shifts where they begin.
      const decode = (): Row[] => new BatchDecoder(new LinkState(source)).decode(body).rows;
      if (usesRange) survives(decode);
      else expect(survives(decode)).toBe('refused');
    }
  });

  /** lane 3 · rows · one definition "t", "" of JSON · slots and times as expected */
  const opaque = (rows: number, ...rest: (number | Uint8Array)[]): Uint8Array =>
    Buffer.concat([
      Buffer.from('03', 'hex'),
      varint(rows),
      Buffer.from('010101740000', 'hex'),
      // Slots as expected, then the times: all 0.
      Buffer.from([0, 0]),
      ...rest.map((part) => (typeof part === 'number' ? Buffer.from([part]) : part)),
    ]);

  function varint(value: number): Buffer {
    const bytes: number[] = [];
    let rest = value;
    for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
    return Buffer.from([...bytes, rest]);
  }

  it('with a decompression bomb are refused before it goes off', () => {
    const bomb = zstdCompressSync(Buffer.alloc(256 * 1024 * 1024)).subarray(4);
    // One payload of 1,000 bytes, so it says; 256 MiB in the frame.
    const body = opaque(1, 0, 1, varint(2_000), 1, varint(bomb.length), bomb);
    const before = process.memoryUsage().arrayBuffers;
    expect(() => new BatchDecoder(new LinkState(source)).decode(body)).toThrow(/broken or too many/);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024);
  });

  it('with lengths of 2^53, 2^50 and 5 MiB are refused before anything is allocated', () => {
    for (const folded of [2 ** 53 - 2, 2 ** 51, 10 * 1024 * 1024]) {
      const body = opaque(1, 0, 1, varint(folded), 0);
      expect(() => new BatchDecoder(new LinkState(source)).decode(body)).toThrow(ProtocolError);
    }
    // 1,024 payloads of 1 MiB each.
    const many = opaque(1024, 0, 1 | (0 << 3), varint(2 * 1024 * 1024), 0);
    expect(() => new BatchDecoder(new LinkState(source)).decode(many)).toThrow(/bytes of text/);
  });

  it('with strings that would grow over the bound are refused', () => {
    const schema = {
      slots: [{ kind: 'string', min: 0, max: 0, parent: -1 }],
      steps: [{ slot: 0, kind: 'string' }],
    } as const;
    const encoder = new BatchEncoder(new LinkState(() => schema));
    const text = Buffer.alloc(4_000, 'x');
    const payload = Buffer.concat([Buffer.from('c03e', 'hex'), text]);
    const row: Row = { type: 't', key: '', schema: 1n, timestampMs: 0, payload };
    const body = Buffer.from(
      encoder.encode(
        0,
        Array.from({ length: 1024 }, () => row),
      ),
    );
    const decode = (bytes: Uint8Array): Row[] => new BatchDecoder(new LinkState(() => schema)).decode(bytes).rows;
    expect(decode(body)).toHaveLength(1024);
    // The one string of the dictionary becomes 6,000 bytes long: 1,024 times that is over 4 MiB.
    const at = body.indexOf(Buffer.from('c03e', 'hex'));
    expect(at).toBeGreaterThan(0);
    body.set(varint(12_000), at);
    expect(survives(() => decode(body))).toBe('refused');
  });

  it('with a column of a schema that is not known are refused', () => {
    const body = new BatchEncoder(new LinkState(source)).encode(3, readEventSet('c1').slice(0, 5));
    expect(() => new BatchDecoder(new LinkState(() => undefined)).decode(body)).toThrow(/not known here/);
    const event = new EventEncoder(new LinkState(source)).encode(3, readEventSet('c1')[0]!);
    expect(() => new EventDecoder(new LinkState(() => undefined)).decode(event)).toThrow(/not known here/);
  });

  it('with more rows than a batch may have, or none, are refused', () => {
    for (const rows of [0, 1025, 2 ** 40]) {
      const body = Buffer.concat([Buffer.from([3]), varint(rows), Buffer.alloc(20)]);
      expect(() => new BatchDecoder(new LinkState(source)).decode(body)).toThrow(ProtocolError);
    }
  });
});
