import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buffersOf, packWrites, unpackWrites } from '../../../src/store/packed-write.ts';
import type { Write } from '../../../src/store/write.ts';

/** Few, so that many say the same as the one before. */
const text = fc.oneof(fc.constantFrom('', 'a', 'ü'), fc.string({ maxLength: 12 }));
const count = fc.nat();
const json = fc.dictionary(text, fc.oneof(text, count, fc.constant(null)), { maxKeys: 3 });
/** Left out, or there. */
const perhaps = <T>(name: string, value: fc.Arbitrary<T>) =>
  fc.option(value, { nil: undefined }).map((given) => (given === undefined ? {} : { [name]: given }));

const merged = (...parts: fc.Arbitrary<object>[]): fc.Arbitrary<any> =>
  fc.tuple(...parts).map((all) => Object.assign({}, ...all));
const lanes = fc.tuple(count, count, count, count);
const place = { row: count, deviceId: text, lane: fc.nat(3) };
const write: fc.Arbitrary<Write> = fc.oneof(
  merged(
    fc.record({ offset: count, deviceId: text, instanceId: text, lane: fc.nat(3), seq: count, type: text, key: text }),
    fc.record({ timestampMs: count, receivedAtMs: count, payload: fc.uint8Array({ maxLength: 20 }) }),
    perhaps('schema', text),
  ).map((event) => ({ kind: 'event' as const, event })),
  ...(['job-device', 'rollout-device'] as const).map((kind) =>
    merged(fc.record({ parentId: text, position: count, deviceId: text, document: json }), perhaps('output', json)).map(
      (member) => ({ kind, member }),
    ),
  ),
  merged(
    fc.record({ ...place, type: text, key: text, payload: text, createdAtMs: count, expiresAtMs: count }),
    perhaps('seq', count),
  ).map((request) => ({ kind: 'request' as const, request })),
  fc
    .record({ request: merged(fc.record(place), perhaps('seq', count)), given: lanes })
    .map((removed) => ({ kind: 'request-removed' as const, ...removed })),
  fc
    .record({ deviceId: text, instanceId: text, lane: fc.nat(3), seq: count, atMs: count })
    .map((cursor) => ({ kind: 'cursor' as const, cursor })),
  fc
    .record({ deviceId: text, seq: lanes })
    .map(({ deviceId, seq }) => ({ kind: 'request-seq' as const, deviceId, seq })),
  fc.record({ key: text, value: text }).map((meta) => ({ kind: 'meta' as const, ...meta })),
);

/** What the thread is to have: documents as JSON, everything else as it was. */
function expected(given: Write): unknown {
  if (given.kind !== 'job-device' && given.kind !== 'rollout-device') return given;
  const { document, output, ...member } = given.member;
  const texts = { document: JSON.stringify(document), output: output === undefined ? null : JSON.stringify(output) };
  return { kind: given.kind, member: { ...member, ...texts } };
}

describe('writes on their way to the thread', () => {
  it('arrive whole and in order, whatever they are', () => {
    fc.assert(
      fc.property(fc.array(write, { maxLength: 12 }), (writes) => {
        const packed = packWrites(writes);
        const moved = structuredClone(packed, { transfer: buffersOf(packed) });
        expect(unpackWrites(moved)).toEqual(writes.map(expected));
      }),
    );
  });
});
