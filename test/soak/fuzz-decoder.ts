/**
 * Generated and mutated bytes against everything that reads what a peer sends: the frame decoder, the messages, and
 * whole sessions in every state. Each point has a seed of its own, so a failure is replayed alone:
 * `npm run soak -- fuzz-decoder --seed N --points 1`.
 */
import { Buffer } from 'node:buffer';
import { deflateRawSync, zstdCompressSync } from 'node:zlib';
import { avroFingerprint } from '../../src/protocol/avro-fingerprint.ts';
import { ByteWriter } from '../../src/protocol/byte-writer.ts';
import { BatchDecoderWorkspace, BatchWorkspace } from '../../src/protocol/columns/index.ts';
import { canonicalForm } from '../../src/protocol/canonical-form.ts';
import { decodeMessage } from '../../src/protocol/decode.ts';
import { encodeMessage } from '../../src/protocol/encode.ts';
import { FrameDecoder, FrameType, writeFrame } from '../../src/protocol/frame.ts';
import type { Lane, Row } from '../../src/protocol/lane.ts';
import { maxFrameBytes } from '../../src/protocol/limit.ts';
import type { Message } from '../../src/protocol/message.ts';
import { ProtocolError } from '../../src/protocol/protocol-error.ts';
import { RowDecoder } from '../../src/protocol/row-decoder.ts';
import { RowEncoder } from '../../src/protocol/row-encoder.ts';
import { noSchemas, readSchema } from '../../src/protocol/schema-catalogue.ts';
import { CoordinatorSession } from '../../src/session/coordinator-session.ts';
import { DeviceSession } from '../../src/session/device-session.ts';
import type { Session } from '../../src/session/session.ts';
import { Dice } from './dice.ts';

export const maxGrowthBytes = 64 * 1024 * 1024;
/** A point takes microseconds; this is a hang. */
const maxPointMs = 2_000;

const states = ['frames', 'awaiting', 'deciding', 'live', 'held', 'greeting', 'device-live', 'device-held'] as const;
type State = (typeof states)[number];

export interface Failure {
  seed: number;
  state: State;
  reason: string;
  hex: string;
}

export interface FuzzReport {
  soak: 'fuzz-decoder';
  seed: number;
  points: number;
  durationMs: number;
  byState: Record<State, { points: number; refused: number; accepted: number }>;
  bounds: Record<string, { refused: boolean; allocatedBytes: number }>;
  /** Of the whole process. The script bounds V8's heap, or its lazy collector would be what is measured. */
  peakGrowthBytes: number;
  /** Of what is still held after a collection, at the end. */
  heldGrowthBytes: number;
  failures: Failure[];
}

const greeting = {
  instanceId: 1n,
  knownCoordinatorInstanceId: 0n,
  nextSeq: [9, 9, 9, 9],
  requestCursor: [0, 0, 0, 0],
  agentVersion: '1.0.0',
  newInstance: false,
};
const admission = { coordinatorInstanceId: 9n, sessionId: 1, eventCursor: [0, 0, 0, 0], serverTimeMs: 1_000 };
const row: Row = { type: 't', key: 'k', timestampMs: 1, schema: 0n, payload: new Uint8Array(20) };

const pointSchema = JSON.stringify({ type: 'record', name: 'P', fields: [{ name: 'x', type: 'int' }] });
const textSchema = JSON.stringify({
  type: 'record',
  name: 'T',
  fields: [
    { name: 's', type: 'string' },
    { name: 'x', type: ['null', 'double'] },
  ],
});
const fingerprintOf = (text: string): bigint => avroFingerprint(canonicalForm(JSON.parse(text)));
const [pointPrint, textPrint] = [fingerprintOf(pointSchema), fingerprintOf(textSchema)];
const schemas = new Map([
  [pointPrint, readSchema(pointSchema)],
  [textPrint, readSchema(textSchema)],
]);
const workspace = new BatchWorkspace('range');
const option = {
  keepaliveMs: 240_000,
  answerTimeoutMs: 20_000,
  helloTimeoutMs: 10_000,
  schemas: new Map([[pointPrint, readSchema(pointSchema)]]),
  workspace: { encoder: new BatchWorkspace('range'), decoder: new BatchDecoderWorkspace() },
};

function pair(standing: 'accepted' | 'quarantined'): { device: DeviceSession; coordinator: CoordinatorSession } {
  const device = new DeviceSession(greeting, option, 0);
  const coordinator = new CoordinatorSession(option, 0);
  coordinator.receive(device.flush(0, 16_384)!, 0);
  coordinator.admit({ ...admission, standing });
  device.receive(coordinator.flush(0, 16_384)!, 0);
  // Something is on its way in both directions, so that ACK, NACK and DATA have something to hit.
  for (const lane of [0, 1, 2, 3] as const) {
    device.enqueue(lane, 1, [row, row]);
    coordinator.enqueue(lane, 1, [row]);
  }
  if (standing === 'accepted') device.want(new Uint8Array(32), 0, 5_000);
  const [up, down] = [device.flush(0, 16_384), coordinator.flush(0, 16_384)];
  if (up !== undefined) coordinator.receive(up, 0);
  if (down !== undefined) device.receive(down, 0);
  return { device, coordinator };
}

function sessionOf(state: State): Session | undefined {
  switch (state) {
    case 'frames':
      return undefined;
    case 'awaiting':
      return new CoordinatorSession(option, 0);
    case 'deciding': {
      const coordinator = new CoordinatorSession(option, 0);
      coordinator.receive(new DeviceSession(greeting, option, 0).flush(0, 16_384)!, 0);
      return coordinator;
    }
    case 'live':
      return pair('accepted').coordinator;
    case 'held':
      return pair('quarantined').coordinator;
    case 'greeting': {
      const device = new DeviceSession(greeting, option, 0);
      device.flush(0, 16_384);
      return device;
    }
    case 'device-live':
      return pair('accepted').device;
    case 'device-held':
      return pair('quarantined').device;
  }
}

/** A body as an encoder of ours writes it, from a state of its own: the first of a connection reads well, others may not. */
function rowMessage(dice: Dice, lane: Lane): Message {
  const catalogue = dice.of([noSchemas, schemas]);
  const encoder = new RowEncoder(catalogue, undefined, workspace);
  const count = 1 + dice.below(dice.of([1, 4, 40]));
  const rows = Array.from({ length: count }, (_, n): Row => {
    const schema = dice.of([0n, pointPrint, textPrint]);
    const size = dice.of([1, 1, 3, 300]);
    return {
      type: dice.of(['t', 't', 'u']),
      key: 'k'.repeat(dice.below(3)),
      timestampMs: 1_700_000_000_000 + n * dice.of([0, 1_000, 2 ** 40]),
      schema,
      payload: schema === textPrint ? Uint8Array.of(2, 97 + dice.below(3), 2) : dice.bytes(size),
    };
  });
  const { type, body } = encoder.encode(lane, rows);
  return { type, body: Buffer.from(body) };
}

/** One well-formed message with wild values. */
function message(dice: Dice): Message {
  const lane = dice.below(4) as Lane;
  const bytes = (max: number): Uint8Array => dice.bytes(dice.below(max + 1));
  const hello = { minVersion: dice.small(), maxVersion: dice.small(), features: dice.wild(), keepaliveMs: dice.wild() };
  const seqs = (): number[] => Array.from({ length: 4 }, () => Math.min(dice.wild(), 2 ** 51 - 1));
  const kinds: (() => Message)[] = [
    () => ({
      type: 'hello',
      ...hello,
      instanceId: dice.id(),
      knownCoordinatorInstanceId: dice.id(),
      nextSeq: seqs(),
      requestCursor: seqs(),
      agentVersion: '1',
      extensions: [],
    }),
    () => ({
      type: 'welcome',
      version: dice.small(),
      features: dice.small(),
      standing: dice.of(['accepted', 'pending', 'quarantined']),
      coordinatorInstanceId: dice.of(['known', dice.id()]),
      sessionId: 1,
      eventCursor: seqs(),
      keepaliveMs: dice.wild(),
      creditBytes: dice.wild(),
      maxFrameBytes: dice.of([1, maxFrameBytes, maxFrameBytes, maxFrameBytes]),
      serverTimeMs: 1,
      extensions: [],
    }),
    () => ({ type: dice.of(['reject', 'goaway']), code: 'overloaded', retryAfterMs: dice.wild(), detail: '' }),
    () => rowMessage(dice, lane),
    () => rowMessage(dice, lane),
    () => ({ type: dice.of(['event', 'batch']), body: bytes(dice.of([2, 30, 400])) }),
    () => ({ type: 'ack', lane, count: 1 + dice.below(dice.of([1, 3, 2 ** 40])) }),
    () => ({
      type: 'nack',
      lane,
      class: dice.of(['retry', 'need-schema', 'reject', 'too-large', 'forbidden']),
      ahead: dice.below(dice.of([1, 3, 2 ** 40])),
      code: dice.small(),
      retryAfterMs: dice.wild(),
      detail: 'no',
    }),
    () => ({ type: 'ping', keepaliveMs: dice.of([0, dice.wild()]) }),
    () => ({ type: 'pong' }),
    () => ({
      type: 'define',
      fingerprint: dice.of([pointPrint, textPrint]),
      text: dice.of([pointSchema, textSchema, textSchema, '{', '7']),
    }),
    () => ({ type: 'gap', lane, skipped: 1 + dice.below(dice.of([1, 2 ** 40])), reason: 'not-kept' }),
    () => ({ type: 'credit', bytes: dice.wild() }),
    () => ({ type: 'pause', lane, ms: Math.min(dice.wild(), 2 ** 51 - 1) }),
    () => ({ type: 'open' }),
    () => ({
      type: 'want',
      id: 1 + dice.below(6),
      sha256: dice.bytes(32),
      offset: dice.wild(),
      length: 1 + dice.below(262_144),
    }),
    () => ({ type: 'data', id: 1 + dice.below(2), bytes: dice.bytes(1 + dice.below(4_096)) }),
    () => ({ type: 'took', bytes: 1 + dice.below(dice.of([100, 2 ** 40])) }),
    () => ({ type: 'want-refused', id: 1 + dice.below(3), code: 'failed' }),
    () => ({ type: 'want-cancelled', id: 1 + dice.below(3) }),
  ];
  return dice.of(kinds)();
}

function input(dice: Dice): Buffer {
  if (dice.below(8) === 0) return Buffer.from(dice.bytes(dice.below(200)));
  const bytes = Buffer.concat(Array.from({ length: 1 + dice.below(8) }, () => encodeMessage(message(dice))));
  const mutations = dice.of([0, 0, 1, 1, 2, 6]);
  for (let n = 0; n < mutations && bytes.length > 0; n += 1) {
    const at = dice.below(bytes.length);
    bytes[at] = dice.of([0, 0xff, 0x80, 0x7f, bytes[at]! ^ (1 << dice.below(8)), dice.below(256)]);
  }
  return dice.below(8) === 0 ? bytes.subarray(0, dice.below(bytes.length + 1)) : bytes;
}

/** Feeds one point; undefined when all is as it must be. */
function point(seed: number): { state: State; accepted: boolean; bytes: Buffer; reason?: string } {
  const dice = new Dice(seed);
  const state = dice.of(states);
  const bytes = input(dice);
  const startMs = performance.now();
  const result = { state, accepted: true, bytes };
  try {
    const session = sessionOf(state);
    const decoder = session === undefined ? new FrameDecoder() : undefined;
    for (let at = 0; at < bytes.length;) {
      const size = dice.of([1, 3, 17, bytes.length]);
      const chunk = bytes.subarray(at, at + size);
      at += size;
      if (decoder !== undefined) {
        for (const frame of decoder.push(chunk)) decodeMessage(frame);
      } else {
        const effects = session!.receive(chunk, 1);
        session!.tick(2);
        session!.flush(2, 16_384);
        if (effects.some(({ kind }) => kind === 'closed')) result.accepted = false;
        const waiting = session!.queuedBytes();
        if (!Number.isFinite(waiting) || waiting < 0) return { ...result, reason: `${waiting} bytes wait` };
      }
    }
    if (decoder !== undefined && decoder.bufferedBytes > bytes.length) {
      return { ...result, reason: `${decoder.bufferedBytes} bytes kept of ${bytes.length}` };
    }
  } catch (error) {
    // Of the pure decoder this is the answer; a session never throws for what a peer sent.
    if (!(error instanceof ProtocolError) || state !== 'frames') return { ...result, reason: String(error) };
    result.accepted = false;
  }
  const tookMs = performance.now() - startMs;
  return tookMs > maxPointMs ? { ...result, reason: `took ${Math.round(tookMs)} ms` } : result;
}

function frameOf(type: 'batch' | 'define', body: Uint8Array): Buffer {
  const writer = new ByteWriter(body.length + 8);
  writeFrame(writer, FrameType[type], body);
  return Buffer.from(writer.take());
}

/** A batch of one row of 300 bytes, whose compressed form says 64 MiB when it is asked. */
function bomb(): Buffer {
  const payload = new Dice(1).bytes(300);
  const { body } = new RowEncoder(noSchemas, undefined, workspace).encode(0, [{ ...row, payload }]);
  const head = Buffer.from(body).subarray(0, body.length - payload.length);
  if (!Buffer.from(body).subarray(head.length).equals(payload) || head.at(-1) !== 0) throw new Error('not as it is');
  const frame = zstdCompressSync(Buffer.alloc(1 << 26)).subarray(4);
  const length = new ByteWriter(8);
  length.varint(frame.length);
  return Buffer.concat([head.subarray(0, -1), Buffer.of(1), length.take(), frame]);
}

/** Lengths that would take memory if they were believed: each must be refused with nothing of them kept. */
export function checkBounds(): FuzzReport['bounds'] {
  const huge = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f); // varint 2^53 - 1 and above
  const cases: Record<string, Buffer> = {
    'EVENT of 4 GiB': Buffer.from('4fffffffff', 'hex'),
    'EVENT of 1 MiB and a byte': Buffer.from('4f00100001', 'hex'),
    'DEFINE of a text of 2^53 - 1 bytes': Buffer.concat([
      Buffer.from(`ad0c10${'11'.repeat(8)}`, 'hex'),
      huge,
      Buffer.alloc(8),
    ]),
    'DEFINE that unpacks to 64 MiB': frameOf(
      'define',
      Buffer.concat([Buffer.from(`10${'11'.repeat(8)}808004`, 'hex'), deflateRawSync(Buffer.alloc(1 << 26))]),
    ),
    'HELLO with an extension of 2^53 - 1 bytes': Buffer.concat([
      Buffer.from(`1d1f010100${'00'.repeat(16)}80d30e01010101000000000001`, 'hex'),
      huge,
      Buffer.alloc(20),
    ]),
    'WANT of 2^53 - 1 bytes': Buffer.concat([Buffer.from(`dd1e0001${'11'.repeat(32)}00`, 'hex'), huge]),
    'BATCH that unpacks to 64 MiB': frameOf('batch', bomb()),
    'BATCH of 2^53 - 1 rows': frameOf('batch', Buffer.concat([Buffer.of(0), huge, Buffer.alloc(8)])),
    'BATCH of 2^53 - 1 definitions': frameOf('batch', Buffer.concat([Buffer.of(0, 1), huge, Buffer.alloc(8)])),
    'BATCH with 2^53 - 1 bytes of the range coder': frameOf('batch', Buffer.concat([Buffer.of(4, 1), huge])),
  };
  return Object.fromEntries(
    Object.entries(cases).map(([name, bytes]) => {
      const before = process.memoryUsage();
      let refused = false;
      try {
        for (const frame of new FrameDecoder().push(bytes)) {
          const seen = decodeMessage(frame);
          if (seen.type === 'batch') new RowDecoder(schemas, option.workspace.decoder).decode(seen);
        }
      } catch (error) {
        refused = error instanceof ProtocolError;
      }
      const after = process.memoryUsage();
      const allocatedBytes = Math.max(0, after.arrayBuffers + after.external - before.arrayBuffers - before.external);
      return [name, { refused, allocatedBytes }];
    }),
  );
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export interface FuzzOption {
  seconds: number;
  seed: number;
  /** Stop after so many, before the time is over. */
  points?: number;
  onProgress(points: number, elapsedMs: number): void;
}

export async function fuzzDecoder({
  seconds,
  seed,
  points: maxPoints = Infinity,
  onProgress,
}: FuzzOption): Promise<FuzzReport> {
  const startMs = performance.now();
  const byState = Object.fromEntries(states.map((state) => [state, { points: 0, refused: 0, accepted: 0 }]));
  const failures: Failure[] = [];
  const bounds = checkBounds();
  // The code is warm and the pools are filled: what grows from here on is kept by somebody.
  for (let n = 0; n < 2_000; n += 1) point(seed + n);
  await turn();
  const heldBytes = (): number => {
    globalThis.gc?.();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const baseHeldBytes = heldBytes();
  const baseBytes = process.memoryUsage().rss;
  let peakGrowthBytes = 0;
  let points = 0;
  let toldMs = startMs;
  for (; points < maxPoints && failures.length < 20; points += 1) {
    if (points % 128 === 0) {
      await turn(); // as between two reads of a socket: zlib lets go of its streams here
      const nowMs = performance.now();
      if (nowMs - startMs >= seconds * 1_000) break;
      peakGrowthBytes = Math.max(peakGrowthBytes, process.memoryUsage().rss - baseBytes);
      if (nowMs - toldMs > 10_000) {
        toldMs = nowMs;
        onProgress(points, nowMs - startMs);
      }
    }
    const { state, accepted, bytes, reason } = point(seed + points);
    const seen = byState[state]!;
    seen.points += 1;
    if (accepted) seen.accepted += 1;
    else seen.refused += 1;
    if (reason !== undefined) failures.push({ seed: seed + points, state, reason, hex: bytes.toString('hex') });
  }
  await turn();
  return {
    soak: 'fuzz-decoder',
    seed,
    points,
    durationMs: Math.round(performance.now() - startMs),
    byState: byState as FuzzReport['byState'],
    bounds,
    peakGrowthBytes,
    heldGrowthBytes: heldBytes() - baseHeldBytes,
    failures,
  };
}

/** What makes a run a failure. */
export function verdict(report: FuzzReport): string[] {
  return [
    ...report.failures.map(({ seed, reason }) => `seed ${seed}: ${reason}`),
    ...Object.entries(report.bounds)
      .filter(([, { refused, allocatedBytes }]) => !refused || allocatedBytes > 1_048_576)
      .map(([name]) => `${name} was not refused before allocation`),
    ...(Math.max(report.peakGrowthBytes, report.heldGrowthBytes) > maxGrowthBytes
      ? [`memory grew by ${report.peakGrowthBytes} bytes, ${report.heldGrowthBytes} of them held`]
      : []),
    ...Object.entries(report.byState)
      .filter(([, { points }]) => points === 0 && report.points > 1_000)
      .map(([state]) => `no point in ${state}`),
  ];
}
