import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { avroFingerprint } from '../../../src/protocol/avro-fingerprint.ts';
import { ByteReader } from '../../../src/protocol/byte-reader.ts';
import { ByteWriter } from '../../../src/protocol/byte-writer.ts';
import { canonicalForm } from '../../../src/protocol/canonical-form.ts';
import { decodeMessage } from '../../../src/protocol/decode.ts';
import { encodeMessage } from '../../../src/protocol/encode.ts';
import { FrameDecoder, FrameType, maxBodyBytes, type Frame } from '../../../src/protocol/frame.ts';
import type { Row } from '../../../src/protocol/lane.ts';
import { maxPayloadBytes } from '../../../src/protocol/limit.ts';
import { gapReasons, type Message, type RowMessage } from '../../../src/protocol/message.ts';
import { ProtocolError } from '../../../src/protocol/protocol-error.ts';
import { RowDecoder, UnknownSchema } from '../../../src/protocol/row-decoder.ts';
import { RowEncoder } from '../../../src/protocol/row-encoder.ts';
import { rowFault } from '../../../src/protocol/row-fault.ts';
import { noSchemas, readSchema } from '../../../src/protocol/schema-catalogue.ts';
import { anyLane, message, row } from './arbitrary.ts';
import { naiveMessage } from './message-naive.ts';

const malformed = JSON.parse(
  readFileSync(new URL('../../vectors/protocol/malformed.json', import.meta.url), 'utf8'),
) as { frames: { name: string; hex: string; code: string }[] };

const decodeAll = (bytes: Uint8Array): Message[] => [...new FrameDecoder().push(bytes)].map(decodeMessage);

/** Payloads come as views of Buffers, too. */
const copied = (rows: readonly Row[]): Row[] => rows.map((one) => ({ ...one, payload: Uint8Array.from(one.payload) }));

/** A varint again, by bigint arithmetic. */
function naiveVarint(value: number): number[] {
  const groups = BigInt(value).toString(2).padStart(1, '0');
  const padded = groups.padStart(Math.ceil(groups.length / 7) * 7, '0');
  const bytes = padded
    .match(/.{7}/g)!
    .map((bits) => Number.parseInt(bits, 2))
    .toReversed();
  return bytes.map((byte, n) => (n < bytes.length - 1 ? byte + 128 : byte));
}

describe('the codec', () => {
  it('reads every message as it was written', () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 8 }), (messages) => {
        const bytes = Buffer.concat(messages.map(encodeMessage));
        // A Buffer and a Uint8Array of the same bytes are the same message.
        expect(Buffer.concat(decodeAll(bytes).map(encodeMessage)).equals(bytes)).toBe(true);
        expect(decodeAll(bytes).map(({ type }) => type)).toEqual(messages.map(({ type }) => type));
      }),
    );
  });

  it('agrees with a naive reading of every message', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(message, (one) => {
        const naive = naiveMessage(encodeMessage(one));
        seen.add(one.type);
        expect(naive).toEqual(one.type === 'gap' ? { ...one, reason: gapReasons[one.reason] } : one);
      }),
      { numRuns: 1_000 },
    );
    // Each kind of message is among a thousand.
    expect(seen.size).toBe(20);
  });

  it('agrees with a naive varint', () => {
    fc.assert(
      fc.property(fc.oneof(fc.maxSafeNat(), fc.nat(70_000)), (value) => {
        const writer = new ByteWriter(1);
        writer.varint(value);
        expect(Array.from(writer.view())).toEqual(naiveVarint(value));
        expect(new ByteReader(writer.view()).varint()).toBe(value);
      }),
    );
  });

  it('reads the same from any cuts of the stream', () => {
    fc.assert(
      fc.property(fc.array(message, { minLength: 1, maxLength: 6 }), fc.infiniteStream(fc.nat(9)), (messages, cuts) => {
        const bytes = Buffer.concat(messages.map(encodeMessage));
        const decoder = new FrameDecoder();
        const frames: Frame[] = [];
        for (let at = 0; at < bytes.length;) {
          const size = cuts.next().value as number;
          frames.push(...decoder.push(bytes.subarray(at, at + size)));
          at += size;
        }
        expect(decoder.bufferedBytes).toBe(0);
        expect(Buffer.concat(frames.map((frame) => encodeMessage(decodeMessage(frame)))).equals(bytes)).toBe(true);
      }),
    );
  });

  it('reads one of each message the same from every cut in two, and byte by byte', () => {
    const samples = new Map(fc.sample(message, { numRuns: 400, seed: 5 }).map((one) => [one.type, encodeMessage(one)]));
    expect(samples.size).toBe(20);
    for (const bytes of samples.values()) {
      const again = (frames: Frame[]): string =>
        frames.map((frame) => Buffer.from(encodeMessage(decodeMessage(frame))).toString('hex')).join();
      const whole = Buffer.from(bytes).toString('hex');
      for (let at = 0; at <= bytes.length; at += 1) {
        const decoder = new FrameDecoder();
        const parts = [...decoder.push(bytes.subarray(0, at)), ...decoder.push(bytes.subarray(at))];
        expect(again(parts)).toBe(whole);
      }
      const decoder = new FrameDecoder();
      const frames = Array.from(bytes, (_, at) => [...decoder.push(bytes.subarray(at, at + 1))]).flat();
      expect(again(frames)).toBe(whole);
    }
  });

  it('answers any bytes with messages or a ProtocolError, and has one form for what it reads', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
        const decoder = new FrameDecoder();
        const read: Uint8Array[] = [];
        try {
          for (const frame of decoder.push(bytes)) {
            const decoded = decodeMessage(frame);
            // A farewell's unknown code becomes `other`: the one many-to-one reading.
            if (decoded.type === 'goaway' || decoded.type === 'reject') return;
            read.push(encodeMessage(decoded));
          }
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
        const again = Buffer.concat(read);
        expect(again.equals(bytes.subarray(0, again.length))).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it('keeps no byte of a body that is too long for its type', () => {
    for (const [type, limit] of Object.entries(maxBodyBytes)) {
      const length = limit! + 1;
      const header = new ByteWriter();
      if (length < 13) header.byte((Number(type) << 4) | length);
      else if (length < 269) {
        header.byte((Number(type) << 4) | 13);
        header.byte(length - 13);
      } else if (length < 65_536) {
        header.byte((Number(type) << 4) | 14);
        header.uint16(length);
      } else {
        header.byte((Number(type) << 4) | 15);
        header.uint32(length);
      }
      expect(() => [...new FrameDecoder().push(header.view())]).toThrow(ProtocolError);
    }
  });

  it('asks what may come before it waits for a body', () => {
    const decoder = new FrameDecoder((type) => (type === FrameType.hello ? 100 : undefined));
    expect(() => [...decoder.push(Uint8Array.of(0x4e))]).toThrow('may not come now');
  });

  it.each(malformed.frames.map(({ name, hex, code }) => [name, hex, code] as const))('refuses %s', (_, hex, code) => {
    let seen: unknown;
    try {
      decodeAll(Buffer.from(hex, 'hex'));
    } catch (error) {
      seen = error;
    }
    expect(seen).toBeInstanceOf(ProtocolError);
    expect((seen as ProtocolError).code).toBe(`protocol-${code}`);
  });
});

describe('rows', () => {
  it('come out as they went in, whatever the lanes, streams, times and batches', () => {
    const batch = fc.tuple(anyLane, fc.array(row, { minLength: 1, maxLength: 12 }));
    fc.assert(
      fc.property(fc.array(batch, { maxLength: 20 }), (batches) => {
        const encoder = new RowEncoder(noSchemas);
        const decoder = new RowDecoder(noSchemas);
        for (const [lane, rows] of batches) {
          const decoded = decoder.decode(encoder.encode(lane, rows));
          expect(decoded.lane).toBe(lane);
          expect(copied(decoded.rows)).toEqual(rows);
        }
      }),
    );
  });

  const point = JSON.stringify({ type: 'record', name: 'Point', fields: [{ name: 'x', type: 'int' }] });
  const readings = (count: number): Row[] =>
    Array.from({ length: count }, (_, n) => ({
      type: 'meter',
      key: 'm1',
      timestampMs: 1.7e12 + n * 900_000,
      schema: 7n,
      payload: Uint8Array.of(2 * n),
    }));

  it('of a schema that only the writer knows are not read, and say which one it is', () => {
    for (const count of [1, 3]) {
      const encoder = new RowEncoder(new Map([[7n, readSchema(point)]]));
      const sent = encoder.encode(3, readings(count));
      expect(() => new RowDecoder(noSchemas).decode(sent)).toThrow(UnknownSchema);
    }
  });

  it('of a schema that was told are read', () => {
    const schema = avroFingerprint(canonicalForm(JSON.parse(point)));
    const rows = readings(5).map((one) => ({ ...one, schema }));
    const encoder = new RowEncoder(new Map([[schema, readSchema(point)]]), new Set([schema]));
    const decoder = new RowDecoder(noSchemas);
    const define = encoder.schemas.tell(schema)!;
    expect(encoder.schemas.tell(schema)).toBeUndefined();
    const [told] = decodeAll(encodeMessage(define));
    expect(told).toEqual(define);
    decoder.schemas.define(define);
    expect(copied(decoder.decode(encoder.encode(3, rows)).rows)).toEqual(rows);
    expect(() => decoder.schemas.define(define)).toThrow(ProtocolError);
  });

  it.each([
    ['under the fingerprint of another', 7n, point],
    ['that is no JSON', 7n, '{'],
    ['nested deeper than a stack', 7n, '['.repeat(32_000) + ']'.repeat(32_000)],
  ])('of a schema %s can not be told', (_, fingerprint, text) => {
    const { schemas } = new RowDecoder(noSchemas);
    expect(() => schemas.define({ type: 'define', fingerprint, text })).toThrow(ProtocolError);
  });

  it('of a schema that only the reader knows travel as they are', () => {
    const encoder = new RowEncoder(noSchemas);
    const decoder = new RowDecoder(new Map([[7n, readSchema(point)]]));
    for (const count of [1, 3]) {
      const { rows } = decoder.decode(encoder.encode(3, readings(count)));
      expect(copied(rows)).toEqual(readings(count));
    }
  });

  it('alone cost 3 bytes on top of 60 once their rhythm is known', () => {
    const encoder = new RowEncoder(noSchemas);
    const one = (n: number): Row => ({
      ...readings(1)[0]!,
      timestampMs: 1.7e12 + n * 900_000,
      payload: new Uint8Array(60),
    });
    const sizes = [0, 1, 2, 3, 4, 5].map((n) => encodeMessage(encoder.encode(3, [one(n)])).length);
    expect(sizes.slice(3)).toEqual([63, 63, 63]);
    expect(sizes[0]).toBeLessThan(100);
  });

  it('fit a frame with the longest names and the largest payload', () => {
    const payload = randomBytes(maxPayloadBytes);
    const largest = { type: 't'.repeat(128), key: 'k'.repeat(256), timestampMs: 2 ** 48 - 1, schema: 9n, payload };
    expect(rowFault(largest)).toBeUndefined();
    const bytes = encodeMessage(new RowEncoder(noSchemas).encode(3, [largest]));
    const [read] = decodeAll(bytes);
    const { rows } = new RowDecoder(noSchemas).decode(read as RowMessage);
    expect(Buffer.from(rows[0]!.payload).equals(payload)).toBe(true);
  });

  it('are refused by name before they are logged when they could not travel', () => {
    const good = { type: 't', key: '', timestampMs: 0, schema: 0n, payload: new Uint8Array() };
    expect(rowFault(good)).toBeUndefined();
    expect(rowFault({ ...good, type: '' })).toContain('type of 0 bytes');
    expect(rowFault({ ...good, type: 'x'.repeat(129) })).toContain('type of 129 bytes');
    expect(rowFault({ ...good, key: 'é'.repeat(129) })).toContain('key of 258 bytes');
    expect(rowFault({ ...good, key: '\ud800' })).toContain('well-formed');
    for (const timestampMs of [-1, 0.5, Number.NaN, 2 ** 48])
      expect(rowFault({ ...good, timestampMs })).toContain('time');
    expect(rowFault({ ...good, schema: 2n ** 64n })).toContain('64 bits');
    expect(rowFault({ ...good, payload: new Uint8Array(1_048_576) })).toContain('payload of 1048576 bytes');
  });
});
