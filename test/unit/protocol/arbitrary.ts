/** Generators of every message, for the codec's tests. */
import fc from 'fast-check';
import { laneCount, type Lane, type Row } from '../../../src/protocol/lane.ts';
import { chunkBytes, maxLaneCount, maxTimestampMs, maxWantBytes } from '../../../src/protocol/limit.ts';
import {
  closeCodes,
  gapReasons,
  nackClasses,
  standings,
  wantRefusals,
  type CloseCode,
  type GapReason,
  type Message,
  type NackClass,
  type Standing,
  type WantRefusal,
} from '../../../src/protocol/message.ts';

const id64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const seq = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: maxLaneCount }));
const seqs = fc.array(seq, { minLength: laneCount, maxLength: laneCount });
const uint = fc.oneof(fc.nat(300), fc.maxSafeNat());
const lane = fc.constantFrom<Lane>(0, 1, 2, 3);
const detail = fc.string({ maxLength: 16, unit: 'grapheme' }).filter((text) => Buffer.byteLength(text) <= 64);
const bytes = (option: { minLength?: number; maxLength: number }) => fc.uint8Array(option);
const extensions = fc
  .uniqueArray(fc.record({ tag: fc.integer({ min: 1, max: 1e6 }), value: bytes({ maxLength: 20 }) }), {
    selector: ({ tag }) => tag,
    maxLength: 4,
  })
  .map((list) => list.toSorted((a, b) => a.tag - b.tag));
const names = <Name extends string>(table: Record<Name, number>) => fc.constantFrom(...(Object.keys(table) as Name[]));

export const message: fc.Arbitrary<Message> = fc.oneof(
  fc.record({
    type: fc.constant('hello' as const),
    minVersion: uint,
    maxVersion: uint,
    features: uint,
    instanceId: id64,
    knownCoordinatorInstanceId: id64,
    keepaliveMs: uint,
    nextSeq: seqs,
    requestCursor: seqs,
    agentVersion: detail,
    extensions,
  }),
  fc.record({
    type: fc.constant('welcome' as const),
    version: uint,
    features: uint,
    standing: names<Standing>(standings),
    coordinatorInstanceId: fc.oneof(fc.constant('known' as const), id64),
    sessionId: uint,
    eventCursor: seqs,
    keepaliveMs: uint,
    creditBytes: uint,
    maxFrameBytes: fc.nat(1_048_576),
    serverTimeMs: fc.integer({ min: 0, max: maxTimestampMs }),
    extensions,
  }),
  fc.record({
    type: fc.constantFrom('reject' as const, 'goaway' as const),
    code: names<CloseCode>(closeCodes),
    retryAfterMs: uint,
    detail,
  }),
  fc.record({ type: fc.constantFrom('event' as const, 'batch' as const), body: bytes({ maxLength: 400 }) }),
  fc.record({ type: fc.constant('ack' as const), lane, count: fc.integer({ min: 1, max: maxLaneCount }) }),
  fc.record({
    type: fc.constant('nack' as const),
    lane,
    class: names<NackClass>(nackClasses),
    ahead: seq,
    code: uint,
    retryAfterMs: uint,
    detail,
  }),
  fc.record({ type: fc.constant('ping' as const), keepaliveMs: uint }),
  fc.constantFrom({ type: 'pong' as const }, { type: 'open' as const }),
  fc.record({ type: fc.constant('credit' as const), bytes: uint }),
  fc.record({ type: fc.constant('pause' as const), lane, ms: seq }),
  fc.record({
    type: fc.constant('define' as const),
    fingerprint: id64.filter((id) => id !== 0n),
    text: fc.string({ maxLength: 200, unit: 'grapheme' }),
  }),
  fc.record({
    type: fc.constant('gap' as const),
    lane,
    skipped: fc.integer({ min: 1, max: maxLaneCount }),
    reason: names<GapReason>(gapReasons),
  }),
  fc.record({
    type: fc.constant('want' as const),
    id: uint,
    sha256: bytes({ minLength: 32, maxLength: 32 }),
    offset: uint,
    length: fc.integer({ min: 1, max: maxWantBytes }),
  }),
  fc.record({ type: fc.constant('data' as const), id: uint, bytes: bytes({ minLength: 1, maxLength: chunkBytes }) }),
  fc.record({ type: fc.constant('took' as const), bytes: fc.integer({ min: 1 }) }),
  fc.record({ type: fc.constant('want-refused' as const), id: uint, code: names<WantRefusal>(wantRefusals) }),
  fc.record({ type: fc.constant('want-cancelled' as const), id: uint }),
);

const text = fc.oneof(
  fc.constantFrom('flotilla.job', 'flotilla.update', 'meter/17', 'meter/18', 'é', '\u{1F6A2}'),
  fc.string({ maxLength: 20 }),
);

export const row: fc.Arbitrary<Row> = fc.record({
  type: text.filter((value) => value.length > 0 && value.isWellFormed()),
  key: text.filter((value) => value.isWellFormed()),
  timestampMs: fc.oneof(fc.integer({ min: 0, max: maxTimestampMs }), fc.integer({ min: 1.7e12, max: 1.7e12 + 1e5 })),
  schema: fc.oneof(fc.constant(0n), fc.constant(7n), id64),
  payload: bytes({ maxLength: 40 }),
});

export const anyLane = lane;
