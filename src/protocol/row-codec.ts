import { Buffer } from 'node:buffer';
import { decodeText } from './byte-reader.ts';
import { laneCount, type Lane, type Row } from './lane.ts';
import { maxKeyBytes, maxPayloadBytes, maxTimestampMs, maxTypeBytes, streamSlots } from './limit.ts';
import type { Define, EventMessage } from './message.ts';
import { ProtocolError } from './protocol-error.ts';

/**
 * What makes rows small: a stream (type, key, schema) is defined once and then a slot number, a time is the difference
 * of differences within its lane. Both ends keep the same state, by the order of frames; it starts empty with each
 * connection, one state a direction.
 */
interface Stream {
  type: Uint8Array;
  key: Uint8Array;
  schema: bigint;
}

const noStream: Stream = { type: new Uint8Array(0), key: new Uint8Array(0), schema: 0n };

/** Why a row can't travel, or undefined: asked before it is logged, so that no log holds a row that wedges its lane. */
export function rowFault(row: Row): string | undefined {
  const typeBytes = Buffer.byteLength(row.type);
  if (typeBytes === 0 || typeBytes > maxTypeBytes) return `type of ${typeBytes} bytes, expected 1 to ${maxTypeBytes}`;
  const keyBytes = Buffer.byteLength(row.key);
  if (keyBytes > maxKeyBytes) return `key of ${keyBytes} bytes, expected at most ${maxKeyBytes}`;
  if (!row.type.isWellFormed() || !row.key.isWellFormed()) return 'type or key is not well-formed Unicode';
  const { timestampMs } = row;
  if (!Number.isInteger(timestampMs) || timestampMs < 0 || timestampMs > maxTimestampMs) {
    return `time ${timestampMs}, expected whole milliseconds from 0 to ${maxTimestampMs}`;
  }
  if (row.schema < 0n || row.schema > 0xffff_ffff_ffff_ffffn) return `schema ${row.schema} is not 64 bits`;
  if (row.payload.length > maxPayloadBytes) {
    return `payload of ${row.payload.length} bytes, expected at most ${maxPayloadBytes}`;
  }
  return undefined;
}

const perLane = (): number[] => Array.from({ length: laneCount }, () => 0);

class LaneTime {
  readonly #last = perLane();
  readonly #step = perLane();

  encode(lane: Lane, timeMs: number): number {
    const step = timeMs - this.#last[lane]!;
    const change = step - this.#step[lane]!;
    this.#last[lane] = timeMs;
    this.#step[lane] = step;
    return change;
  }

  decode(lane: Lane, change: number): number {
    const step = this.#step[lane]! + change;
    const timeMs = this.#last[lane]! + step;
    if (timeMs < 0 || timeMs > maxTimestampMs) throw new ProtocolError('value', `time ${timeMs} is out of range`);
    this.#last[lane] = timeMs;
    this.#step[lane] = step;
    return timeMs;
  }
}

export class RowEncoder {
  readonly #slotOf = new Map<string, number>();
  readonly #names: string[] = [];
  readonly #time = new LaneTime();
  #defined = 0;
  #previous = noStream;

  /** The messages of the next row of `lane`: at most one DEFINE, then the EVENT. */
  encode(lane: Lane, row: Row): { define?: Define; event: EventMessage } {
    const fault = rowFault(row);
    if (fault !== undefined) throw new ProtocolError('value', `a row that can't travel: ${fault}`);
    const name = `${row.schema}\0${Buffer.byteLength(row.type)}\0${row.type}${row.key}`;
    const known = this.#slotOf.get(name);
    const timeStepMs = this.#time.encode(lane, row.timestampMs);
    const event = { type: 'event', lane, timeStepMs, payload: row.payload } as const;
    if (known !== undefined) return { event: { ...event, stream: known } };
    const { slot, define } = this.#define(name, row);
    return { define, event: { ...event, stream: slot } };
  }

  #define(name: string, row: Row): { slot: number; define: Define } {
    const slot = this.#defined % streamSlots;
    const replaced = this.#names[slot];
    if (replaced !== undefined) this.#slotOf.delete(replaced);
    this.#slotOf.set(name, slot);
    this.#names[slot] = name;
    const next = { type: Buffer.from(row.type), key: Buffer.from(row.key), schema: row.schema };
    const last = this.#previous;
    const typeShared = sharedPrefix(last.type, next.type);
    const keyShared = sharedPrefix(last.key, next.key);
    this.#previous = next;
    this.#defined += 1;
    const define: Define = {
      type: 'define',
      typeShared,
      typeRest: next.type.subarray(typeShared),
      keyShared,
      keyRest: next.key.subarray(keyShared),
      schema: next.schema !== 0n && next.schema === last.schema ? 'same' : next.schema,
    };
    return { slot, define };
  }
}

export class RowDecoder {
  readonly #streams: { type: string; key: string; schema: bigint }[] = [];
  readonly #time = new LaneTime();
  #defined = 0;
  #previous = noStream;

  define(message: Define): void {
    const last = this.#previous;
    const type = joined(last.type, message.typeShared, message.typeRest, maxTypeBytes);
    const key = joined(last.key, message.keyShared, message.keyRest, maxKeyBytes);
    if (type.length === 0) throw new ProtocolError('stream', 'a stream without a type');
    if (message.schema === 'same' ? last.schema === 0n : message.schema !== 0n && message.schema === last.schema) {
      throw new ProtocolError('stream', 'the schema of a definition is not in its shortest form');
    }
    const schema = message.schema === 'same' ? last.schema : message.schema;
    this.#previous = { type, key, schema };
    this.#streams[this.#defined % streamSlots] = { type: decodeText(type), key: decodeText(key), schema };
    this.#defined += 1;
  }

  /** The payload is a view of the frame. */
  row(message: EventMessage): Row {
    const stream = this.#streams[message.stream];
    if (stream === undefined) throw new ProtocolError('stream', `stream ${message.stream} was never defined`);
    const timestampMs = this.#time.decode(message.lane, message.timeStepMs);
    return { type: stream.type, key: stream.key, timestampMs, schema: stream.schema, payload: message.payload };
  }
}

function sharedPrefix(a: Uint8Array, b: Uint8Array): number {
  const most = Math.min(a.length, b.length);
  let n = 0;
  while (n < most && a[n] === b[n]) n += 1;
  return n;
}

function joined(last: Uint8Array, shared: number, rest: Uint8Array, maxBytes: number): Uint8Array {
  if (shared > last.length || shared + rest.length > maxBytes) {
    throw new ProtocolError('stream', `${shared} shared bytes and ${rest.length} more`, {
      expected: `at most ${last.length} shared, ${maxBytes} in all`,
    });
  }
  const whole = new Uint8Array(shared + rest.length);
  whole.set(last.subarray(0, shared));
  whole.set(rest, shared);
  if (sharedPrefix(last, whole) !== shared) throw new ProtocolError('stream', 'a definition shares more than it says');
  return whole;
}
