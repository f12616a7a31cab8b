import { Buffer } from 'node:buffer';
import type { Lane, Row } from '../lane.ts';
import { maxTimestampMs } from '../limit.ts';
import { ProtocolError } from '../protocol-error.ts';
import { BodyReader } from './body-reader.ts';
import { riceEscape, unfold } from './coding.ts';
import { OrderedBits, bitDomain, isDomain, unscaled } from './domain.ts';
import { predict, riceParameter, type Prediction } from './event-column.ts';
import { addStrings, predictedTime, rememberTime, settle, textName } from './event-encoder.ts';
import { maxStreams } from './limit.ts';
import type { LinkState } from './link-state.ts';
import type { RunningMean, SchemaMemory, StreamMemory } from './memory.ts';
import { PayloadJoiner, type DecodedSlot } from './payload-joiner.ts';
import type { ColumnSchema } from './schema.ts';
import type { Stream } from './stream-table.ts';
import { plus, unfoldWhole, type Whole } from './whole.ts';

/** The one value of each column of an event, in the shape that PayloadJoiner takes. */
interface EventSlot extends DecodedSlot {
  wide: BigInt64Array;
  bytes: Uint8Array[];
}

/** Reads single rows: the other side of EventEncoder, where the layout stands. */
export class EventDecoder {
  readonly #state: LinkState;
  readonly #joiner = new PayloadJoiner();
  readonly #ordered = new OrderedBits();
  readonly #slots = new Map<ColumnSchema, EventSlot[]>();
  /** New strings of the row, by column. */
  readonly #fresh = new Map<number, string>();

  constructor(state: LinkState) {
    this.#state = state;
  }

  /**
   * The row of an EVENT body; an opaque payload is a view of `body`. Throws ProtocolError and nothing else; the state
   * is of no use after that.
   */
  decode(body: Uint8Array): { lane: Lane; row: Row } {
    const reader = new BodyReader(body);
    const lane = reader.bits(2) as Lane;
    const stream = this.#stream(reader);
    const timestampMs = this.#time(reader, stream);
    const { type, key, schema } = stream;
    let payload: Uint8Array;
    if (reader.bits(1) === 1) {
      payload = this.#columns(reader, this.#state.knownSchema(schema), stream);
      reader.alignBits();
      reader.end();
    } else {
      reader.alignBits();
      payload = reader.bytes(reader.remaining);
    }
    return { lane, row: { type, key, timestampMs, schema, payload } };
  }

  #stream(reader: BodyReader): Stream {
    const table = this.#state.streams;
    const isExpected = reader.bits(1) === 1;
    const stream = isExpected ? table.at(table.expected) : this.#otherStream(reader);
    table.follow(stream.slot);
    return stream;
  }

  #otherStream(reader: BodyReader): Stream {
    const isNew = reader.bits(1) === 1;
    if (!isNew) return this.#state.streams.at(reader.bits(Math.log2(maxStreams)));
    reader.alignBits();
    return this.#state.streams.readDefinition(reader, this.#state.passing);
  }

  #time(reader: BodyReader, stream: Stream): number {
    const { timeMean } = this.#state;
    const folded = readNumber(reader, timeMean.count > 0 ? timeMean : undefined);
    const timeMs = typeof folded === 'number' ? predictedTime(this.#state, stream) + unfold(folded) : -1;
    if (timeMs < 0 || timeMs > maxTimestampMs) throw new ProtocolError('value', `time ${timeMs} is out of range`);
    rememberTime(this.#state, stream, timeMs, folded as number);
    return timeMs;
  }

  #columns(reader: BodyReader, memory: SchemaMemory, stream: Stream): Uint8Array {
    const { schema } = memory;
    const decoded = this.#eventSlots(schema);
    const streamMemory = (stream.memory ??= memory.streamMemory());
    this.#fresh.clear();
    if (reader.bits(1) === 0) this.#domains(reader, memory);
    for (let slot = 0; slot < schema.slots.length; slot += 1) {
      const { parent } = schema.slots[slot]!;
      const target = decoded[slot]!;
      target.bytes.length = 0;
      const isThere = parent < 0 || decoded[parent]!.values[0] === 1;
      if (!isThere) {
        // Also what is inside of it has no value.
        target.values[0] = 0;
        continue;
      }
      const number = this.#value(reader, memory, streamMemory, slot, target);
      settle(memory, streamMemory, slot, target, number);
    }
    addStrings(memory, this.#fresh);
    memory.recent = streamMemory;
    return this.#joiner.join(schema, decoded, 1)[0]!;
  }

  #domains(reader: BodyReader, memory: SchemaMemory): void {
    let changes = 0;
    memory.schema.slots.forEach(({ kind }, slot) => {
      if (kind !== 'float' && kind !== 'double') return;
      const domain = reader.bits(4);
      if (!isDomain(domain)) throw new ProtocolError('value', `domain ${domain}`);
      if (domain !== memory.domains[slot]) changes += 1;
      memory.setDomain(slot, domain);
    });
    if (changes === 0) throw new ProtocolError('value', 'domains that are as before');
  }

  /** Reads a column; returns its whole number. */
  #value(reader: BodyReader, memory: SchemaMemory, stream: StreamMemory, slot: number, target: EventSlot): Whole {
    const { kind, min, max } = memory.schema.slots[slot]!;
    if (kind === 'presence' || kind === 'boolean') return (target.values[0] = reader.bits(1));
    const prediction: Prediction = predict(memory, stream, slot);
    const number = plus(prediction.value, unfoldWhole(readNumber(reader, prediction.mean)));
    switch (kind) {
      case 'long':
        target.wide[0] = BigInt(number);
        break;
      case 'float':
      case 'double':
        target.values[0] = this.#decimal(memory, slot, kind, number);
        break;
      case 'string': {
        const { strings } = memory.dictionaries[slot]!;
        expectNumber(number, 0, strings.length);
        const known = strings[Number(number)];
        const text = known === undefined ? readBytes(reader, readLength(reader)) : Buffer.from(known, 'latin1');
        if (known === undefined) this.#fresh.set(slot, textName(text));
        target.bytes.push(text);
        break;
      }
      case 'bytes':
        expectNumber(number, 0, reader.remaining);
        target.bytes.push(readBytes(reader, Number(number)));
        break;
      default:
        expectNumber(number, min, max);
        target.values[0] = Number(number);
    }
    if (kind === 'bytes') target.values[0] = Number(number);
    return number;
  }

  #decimal(memory: SchemaMemory, slot: number, kind: 'float' | 'double', number: Whole): number {
    const domain = memory.domains[slot]!;
    if (domain === bitDomain && kind === 'double') return this.#ordered.doubleOf(BigInt(number));
    if (domain === bitDomain) {
      expectNumber(number, -0x8000_0000, 0x7fff_ffff);
      return this.#ordered.floatOf(Number(number));
    }
    if (typeof number === 'bigint') throw new ProtocolError('value', 'a number is out of its domain');
    return unscaled(number, domain, kind);
  }

  #eventSlots(schema: ColumnSchema): EventSlot[] {
    let slots = this.#slots.get(schema);
    if (slots === undefined) {
      slots = schema.slots.map(() => {
        const bytes: Uint8Array[] = [];
        return { values: new Float64Array(1), wide: new BigInt64Array(1), bytes, texts: () => bytes[0]! };
      });
      this.#slots.set(schema, slots);
    }
    return slots;
  }
}

function expectNumber(number: Whole, min: number, max: number): void {
  if (typeof number === 'bigint' || number < min || number > max) {
    throw new ProtocolError('value', `${number} is out of range`, { expected: `${min} to ${max}` });
  }
}

/** A folded number: a Rice code with the mean's k, or a length and the number. */
function readNumber(reader: BodyReader, mean: RunningMean | undefined): Whole {
  if (mean !== undefined) {
    const k = riceParameter(mean);
    const quotient = reader.ones(riceEscape);
    if (quotient < riceEscape) return quotient * 2 ** k + reader.bits(k);
  }
  const length = reader.bits(6) + 1;
  if (length <= 52) {
    const value = reader.bits(length);
    if (length > 1 && value < 2 ** (length - 1)) {
      throw new ProtocolError('value', 'a number is not in its shortest form');
    }
    return value;
  }
  const low = BigInt(reader.bits(32));
  const value = (BigInt(reader.bits(length - 32)) << 32n) | low;
  if (value >> BigInt(length - 1) !== 1n) throw new ProtocolError('value', 'a number is not in its shortest form');
  return value;
}

function readLength(reader: BodyReader): number {
  const length = readNumber(reader, undefined);
  expectNumber(length, 0, reader.remaining);
  return Number(length);
}

function readBytes(reader: BodyReader, length: number): Uint8Array {
  reader.expectBits(8 * length);
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i += 1) bytes[i] = reader.bits(8);
  return bytes;
}
