import { Buffer } from 'node:buffer';
import { ByteWriter } from '../byte-writer.ts';
import type { Lane, Row } from '../lane.ts';
import { ProtocolError } from '../protocol-error.ts';
import { rowFault } from '../row-fault.ts';
import { BitWriter } from './bit-writer.ts';
import { bitLength, fold } from './coding.ts';
import { bitDomain, decimalDomain, isIn, type Precision } from './domain.ts';
import { learn, predict, rememberEvent, riceParameter, wholeOf, type Prediction } from './event-column.ts';
import type { LinkState } from './link-state.ts';
import type { SchemaMemory, StreamMemory } from './memory.ts';
import { isPassing } from './passing.ts';
import { PayloadSplitter } from './payload-splitter.ts';
import { writeRice } from './residual-writer.ts';
import type { ColumnSchema } from './schema.ts';
import type { SlotValues } from './slot-values.ts';
import type { Stream } from './stream-table.ts';
import { foldWhole, minus, whole, type Whole } from './whole.ts';

/** Not the expected stream, but a new one: the two bits before a definition. */
const newStream = 0b10;

/** Of the row that is being written, of whichever connection: most rows are small, and there are many. */
const body = new ByteWriter(512);

/**
 * Single rows to the bodies of EVENT frames: one bit field, lowest bits first.
 *
 *     2 bits lane · 1 bit: the expected stream (StreamTable.expected)
 *       else 1 bit new: zero bits to the byte's end, its definition, a new bit field begins; else 10 bits slot
 *     time, less what the stream's last two say: a number, see `writeNumber`
 *     1 bit columns; else zero bits to the byte's end and the payload as it is, to the end of the body
 *     1 bit: domains as before; else 4 bits domain for each float and double of the schema
 *     columns that have a value, in the order of the schema
 *     zero bits to the byte's end
 *
 * presence, boolean   1 bit
 * numbers             residual
 * string              residual of its number; one more than the highest: a new string, as bytes
 * bytes               residual of the length, then 8 bits each
 */
export class EventEncoder {
  readonly #state: LinkState;
  readonly #bits = new BitWriter();
  readonly #splitters = new Map<ColumnSchema, PayloadSplitter>();
  /** New strings of the row, by column. */
  readonly #fresh = new Map<number, string>();

  constructor(state: LinkState) {
    this.#state = state;
  }

  /** A row that was encoded has to be sent, in this order. The body is a view that the next one overwrites. */
  encode(lane: Lane, row: Row): Uint8Array {
    const fault = rowFault(row);
    if (fault !== undefined) throw new ProtocolError('value', `a row that can't travel: ${fault}`);
    body.clear();
    const bits = this.#bits;
    bits.clear();
    bits.bits(lane, 2);
    const stream = this.#stream(row);
    this.#time(stream, row.timestampMs);
    const memory = this.#state.schema(row.schema);
    if (memory === undefined || !this.#columns(memory, stream, row.payload)) {
      bits.bits(0, 1);
      body.bytes(bits.finish());
      body.bytes(row.payload);
    } else {
      body.bytes(bits.finish());
    }
    return body.view();
  }

  #stream(row: Row): Stream {
    const bits = this.#bits;
    const table = this.#state.streams;
    if (this.#state.passing && isPassing(row)) {
      bits.bits(newStream, 2);
      body.bytes(bits.finish());
      bits.clear();
      return table.pass(body, row.type, row.key, row.schema);
    }
    let stream = table.find(row.type, row.key, row.schema);
    const isExpected = stream?.slot === table.expected;
    bits.bits(isExpected ? 1 : 0, 1);
    if (!isExpected) {
      bits.bits(stream === undefined ? 1 : 0, 1);
      if (stream === undefined) {
        body.bytes(bits.finish());
        bits.clear();
        stream = table.define(body, row.type, row.key, row.schema);
      } else {
        bits.bits(stream.slot, 10);
      }
    }
    table.follow(stream!.slot);
    return stream!;
  }

  #time(stream: Stream, timeMs: number): void {
    const { timeMean } = this.#state;
    const residual = fold(timeMs - predictedTime(this.#state, stream));
    writeNumber(this.#bits, residual, { value: 0, mean: timeMean.count > 0 ? timeMean : undefined });
    rememberTime(this.#state, stream, timeMs, residual);
  }

  /** False, and nothing is written or remembered, when the payload is no record of its schema or smaller as it is. */
  #columns(memory: SchemaMemory, stream: Stream, payload: Uint8Array): boolean {
    const splitter = this.#splitter(memory.schema);
    splitter.clear();
    if (!splitter.split(payload, 0)) return false;
    const bits = this.#bits;
    const mark = bits.mark();
    bits.bits(1, 1);
    const streamMemory = (stream.memory ??= memory.streamMemory());
    const changed = newDomains(memory, streamMemory, splitter.slots);
    bits.bits(changed === undefined ? 1 : 0, 1);
    // Decided before it is known whether the columns are the smaller: kept, then, to be put back.
    const kept = changed && memory.saveDomains();
    changed?.forEach(([slot, domain]) => {
      bits.bits(domain, 4);
      memory.setDomain(slot, domain);
    });
    const { slots } = memory.schema;
    this.#fresh.clear();
    const values: (Whole | undefined)[] = slots.map((_, slot) =>
      splitter.slots[slot]!.count === 0 ? undefined : this.#value(memory, streamMemory, slot, splitter.slots[slot]!),
    );
    if (bits.bytesSince(mark) > payload.length + 4) {
      bits.rollBack(mark);
      if (kept !== undefined) memory.restoreDomains(kept);
      return false;
    }
    slots.forEach((_, slot) => {
      if (values[slot] !== undefined) settle(memory, streamMemory, slot, splitter.slots[slot]!, values[slot]);
    });
    addStrings(memory, this.#fresh);
    memory.recent = streamMemory;
    return true;
  }

  /** Writes a column; returns its whole number. */
  #value(memory: SchemaMemory, stream: StreamMemory, slot: number, values: SlotValues): Whole {
    const bits = this.#bits;
    const { kind } = memory.schema.slots[slot]!;
    const value = values.values[0]!;
    if (kind === 'presence' || kind === 'boolean') {
      bits.bits(value, 1);
      return value;
    }
    let number: Whole = wholeOf(memory, slot, value);
    if (kind === 'long') number = whole(values.long(0));
    if (kind === 'string') {
      const dictionary = memory.dictionaries[slot]!;
      const name = textName(values.texts[0]!);
      number = dictionary.numberOf.get(name) ?? dictionary.strings.length;
      if (number === dictionary.strings.length) this.#fresh.set(slot, name);
    }
    const prediction = predict(memory, stream, slot);
    writeNumber(bits, foldWhole(minus(number, prediction.value)), prediction);
    const text = values.texts[0];
    if (kind === 'bytes') bits.bytes(text!);
    if (this.#fresh.has(slot)) {
      writeLength(bits, text!.length);
      bits.bytes(text!);
    }
    return number;
  }

  #splitter(schema: ColumnSchema): PayloadSplitter {
    let splitter = this.#splitters.get(schema);
    if (splitter === undefined) this.#splitters.set(schema, (splitter = new PayloadSplitter(schema, 1)));
    return splitter;
  }
}

export function textName(text: Uint8Array): string {
  return Buffer.from(text.buffer, text.byteOffset, text.length).toString('latin1');
}

/** The first differences of the stream, or the connection's last time for a stream without any. */
export function predictedTime({ clockMs }: LinkState, { timesSeen, lastTimeMs, beforeTimeMs }: Stream): number {
  return timesSeen === 0 ? clockMs : 2 * lastTimeMs - beforeTimeMs;
}

export function rememberTime(state: LinkState, stream: Stream, timeMs: number, folded: number): void {
  if (stream.timesSeen === 2) state.timeMean.add(folded);
  stream.beforeTimeMs = stream.timesSeen === 0 ? timeMs : stream.lastTimeMs;
  stream.lastTimeMs = timeMs;
  stream.timesSeen = Math.min(2, stream.timesSeen + 1);
  state.clockMs = timeMs;
}

/** Lets the column's means and the stream's memory know the value. */
export function settle(
  memory: SchemaMemory,
  stream: StreamMemory,
  slot: number,
  { values }: { values: Float64Array },
  number: Whole,
): void {
  const { kind } = memory.schema.slots[slot]!;
  if (kind !== 'presence' && kind !== 'boolean') learn(memory, stream, slot, number);
  if (kind === 'float' || kind === 'double') rememberEvent(stream, slot, values[0]!);
  else rememberEvent(stream, slot, number);
}

/** After all columns of a row: the dictionaries take up its new strings, by column. */
export function addStrings({ dictionaries }: SchemaMemory, fresh: ReadonlyMap<number, string>): void {
  for (const [slot, text] of fresh) dictionaries[slot]!.add([text]);
}

/** A Rice code with the mean's k; while nothing is learned: 6 bits length - 1, then the number. */
function writeNumber(bits: BitWriter, folded: Whole, { mean }: Prediction): void {
  if (typeof folded === 'bigint') {
    // As a Rice code it is an escape.
    if (mean !== undefined) bits.ones(20);
    const length = folded.toString(2).length;
    bits.bits(length - 1, 6);
    bits.bits(Number(folded & 0xffff_ffffn), 32);
    bits.bits(Number(folded >> 32n), length - 32);
  } else if (mean === undefined) {
    writeLength(bits, folded);
  } else {
    writeRice(bits, folded, riceParameter(mean));
  }
}

function writeLength(bits: BitWriter, value: number): void {
  const length = Math.max(1, bitLength(value));
  bits.bits(length - 1, 6);
  bits.bits(value, length);
}

/** Domains of all floats and doubles when one of them has to change, or better would. */
function newDomains(
  memory: SchemaMemory,
  stream: StreamMemory,
  slots: readonly SlotValues[],
): [slot: number, domain: number][] | undefined {
  let mustChange = false;
  const domains: [number, number][] = [];
  memory.schema.slots.forEach(({ kind }, slot) => {
    if (kind !== 'float' && kind !== 'double') return;
    const { count, values } = slots[slot]!;
    const domain = memory.domains[slot]!;
    const next = count === 0 ? domain : betterDomain(kind, domain, values, stream.last[slot]!);
    domains.push([slot, next]);
    if (next !== domain) mustChange = true;
  });
  return mustChange ? domains : undefined;
}

/** Stays while it holds the value; leaves the bit domain when two values in a row are on a common grid. */
function betterDomain(kind: Precision, domain: number, values: Float64Array, last: number): number {
  const coarse = kind === 'float' ? 4 : 6;
  if (domain === bitDomain) {
    const grid = decimalDomain(Float64Array.of(values[0]!, last), 0, 2, kind, 0);
    return grid <= coarse ? grid : bitDomain;
  }
  if (isIn(values[0]!, domain, kind)) return domain;
  const grid = decimalDomain(values, 0, 1, kind, domain);
  return grid <= Math.max(coarse, domain) ? grid : bitDomain;
}
