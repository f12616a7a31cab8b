/**
 * The column format of docs/protocol-columns.md again, without a line of ours: slow, in bigints, without a buffer, a fast path
 * or a limit. Reads batches and single events as one direction of a connection gives them.
 */
import { zstdDecompressSync } from 'node:zlib';

export interface NaiveRow {
  lane: number;
  type: string;
  key: string;
  schema: bigint;
  timestampMs: number;
  payload: string;
}

type Kind = 'presence' | 'boolean' | 'int' | 'long' | 'float' | 'double' | 'enum' | 'string' | 'bytes';
interface Column {
  kind: Kind;
  parent: number;
  nullBranch: number;
}

/** Flattens a parsed Avro record of primitive, enum, nullable and record fields. */
export function naiveColumns(type: any, parent = -1, columns: Column[] = []): Column[] {
  if (Array.isArray(type)) {
    columns.push({ kind: 'presence', parent, nullBranch: type.indexOf('null') });
    return naiveColumns(type[1 - type.indexOf('null')], columns.length - 1, columns);
  }
  if (type.type === 'record') {
    for (const field of type.fields) naiveColumns(field.type, parent, columns);
    return columns;
  }
  columns.push({ kind: type.type ?? type, parent, nullBranch: -1 });
  return columns;
}

interface Past {
  last: Value;
  before: Value;
  seen: number;
}
/** Whole numbers as bigints, floats and doubles as numbers. */
type Value = bigint | number;
interface Stream {
  type: string;
  key: string;
  schema: bigint;
  times: Past;
  pasts: Map<number, Past>;
}
interface Mean {
  sixteenths: bigint;
  count: bigint;
}
interface SchemaState {
  columns: Column[];
  domains: number[];
  dictionaries: string[][];
  models: Map<number, { chance: number[]; seen: number[] }>;
  deltas: Mean[];
  slopes: Mean[];
  recent?: Stream;
}

const mod = (value: bigint): bigint => BigInt.asIntN(64, value);
const fold = (value: bigint): bigint => (value < 0n ? -2n * value - 1n : 2n * value);
const unfold = (value: bigint): bigint => (value % 2n === 0n ? value / 2n : -(value + 1n) / 2n);
const bitLength = (value: bigint): number => (value === 0n ? 0 : value.toString(2).length);
const noMean = (): Mean => ({ sixteenths: 0n, count: 0n });

function orderedBits(kind: Kind, value: number): bigint {
  const bytes = Buffer.alloc(8);
  if (kind === 'float') bytes.writeFloatBE(value);
  else bytes.writeDoubleBE(value);
  const bits = kind === 'float' ? BigInt(bytes.readInt32BE()) : bytes.readBigInt64BE();
  const mask = kind === 'float' ? 0x7fff_ffffn : 0x7fff_ffff_ffff_ffffn;
  return bits >= 0n ? bits : bits ^ mask;
}

class Bytes {
  readonly bytes: Uint8Array;
  at = 0;
  bit = 0;
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
  take(count: number): Uint8Array {
    if (this.at + count > this.bytes.length) throw new Error('short');
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }
  byte(): number {
    return this.take(1)[0]!;
  }
  varint(): bigint {
    const byte = this.byte();
    return BigInt(byte & 127) + (byte < 128 ? 0n : this.varint() << 7n);
  }
  count(): number {
    return Number(this.varint());
  }
  signed(): bigint {
    return unfold(this.varint());
  }
  oneBit(): bigint {
    const value = (this.bytes[this.at]! >> this.bit) & 1;
    this.bit += 1;
    if (this.bit === 8) [this.at, this.bit] = [this.at + 1, 0];
    return BigInt(value);
  }
  bits(width: number): bigint {
    let value = 0n;
    for (let n = 0; n < width; n += 1) value += this.oneBit() << BigInt(n);
    return value;
  }
  align(): void {
    if (this.bit > 0) [this.at, this.bit] = [this.at + 1, 0];
  }
  rice(k: number): bigint {
    let quotient = 0n;
    while (quotient < 20n && this.oneBit() === 1n) quotient += 1n;
    return quotient < 20n ? (quotient << BigInt(k)) + this.bits(k) : this.lengthCode();
  }
  lengthCode(): bigint {
    return this.bits(Number(this.bits(6)) + 1);
  }
}

class Range {
  readonly bytes: number[];
  low = 0n;
  high = 0xffff_ffffn;
  value = 0n;
  constructor(bytes: Uint8Array) {
    this.bytes = [...bytes];
    for (let n = 0; n < 4; n += 1) this.value = this.value * 256n + BigInt(this.bytes.shift() ?? 0);
  }
  bit(chance: number): number {
    const span = this.high - this.low;
    const middle = this.low + (span * BigInt(chance)) / 32_768n;
    const bit = this.value <= middle ? 1 : 0;
    if (bit === 1) this.high = middle;
    else this.low = middle + 1n;
    while (this.low >> 24n === this.high >> 24n) {
      this.low = (this.low << 8n) & 0xffff_ffffn;
      this.high = ((this.high << 8n) & 0xffff_ffffn) + 255n;
      this.value = ((this.value << 8n) & 0xffff_ffffn) + BigInt(this.bytes.shift() ?? 0);
    }
    return bit;
  }
}

export class NaiveReader {
  /** What of the format has come: for vectors that are to show all of it. */
  readonly seen = new Set<string>();
  readonly #avro: (fingerprint: bigint) => any;
  readonly #passing: boolean;
  readonly #slots: (Stream | undefined)[] = [];
  readonly #next = new Map<number, number>();
  readonly #schemas = new Map<bigint, SchemaState>();
  readonly #timeMean = noMean();
  #defined = 0;
  #lastSlot = 1023;
  #lastName = { type: Buffer.alloc(0), key: Buffer.alloc(0), schema: 0n };
  #clock = 0n;

  /** @param passing whether job rows in events take no slot */
  constructor(avro: (fingerprint: bigint) => any, passing = false) {
    this.#avro = avro;
    this.#passing = passing;
  }

  batch(body: Uint8Array): NaiveRow[] {
    const head = new Bytes(body);
    const flags = head.byte();
    if ((flags & 4) > 0) this.seen.add('range bytes');
    const count = head.count();
    const rangeBytes = (flags & 4) > 0 ? head.count() : 0;
    const reader = new Bytes(body.subarray(head.at, body.length - rangeBytes));
    const range = rangeBytes > 0 ? new Range(body.subarray(body.length - rangeBytes)) : undefined;
    const definitions = reader.count();
    for (let n = 0; n < definitions; n += 1) this.#keep(this.#name(reader));
    const slots = this.#residuals(reader, this.#head(reader), count).map((residual) => {
      const slot = this.#expected() + Number(residual);
      this.#follow(slot);
      return slot;
    });
    const streams = slots.map((slot) => this.#slots[slot]!);
    const times = this.#column(reader, streams, { past: ({ times: past }) => past, cell0: this.#clock });
    this.#clock = times.at(-1)!;
    const rows = streams.map(({ type, key, schema }, i) => ({
      lane: flags & 3,
      type,
      key,
      schema,
      timestampMs: Number(times[i]),
      payload: '',
    }));
    for (const schema of new Set(streams.map((stream) => stream.schema))) {
      const mine = rows.filter((row) => row.schema === schema);
      const payloads = this.#group(
        reader,
        schema,
        streams.filter((stream) => stream.schema === schema),
        range,
      );
      mine.forEach((row, i) => {
        row.payload = Buffer.from(payloads[i]!).toString('hex');
      });
    }
    if (reader.at !== reader.bytes.length) throw new Error('trailing');
    return rows;
  }

  event(body: Uint8Array): NaiveRow {
    const reader = new Bytes(body);
    const lane = Number(reader.bits(2));
    let slot = this.#expected();
    let passing: Stream | undefined;
    const isExpected = reader.oneBit() === 1n;
    if (!isExpected) {
      const isNew = reader.oneBit() === 1n;
      this.seen.add(isNew ? 'event: new stream' : 'event: slot');
      if (isNew) {
        reader.align();
        const name = this.#name(reader);
        const isJob = name.schema === 0n && /^(?:job\.|flotilla\.job$)/.test(name.type);
        if (this.#passing && isJob) {
          this.seen.add('event: passing');
          passing = { ...name, times: { last: 0n, before: 0n, seen: 0 }, pasts: new Map() };
        } else slot = this.#keep(name);
      } else {
        slot = Number(reader.bits(10));
      }
    }
    if (passing === undefined) this.#follow(slot);
    const stream = passing ?? this.#slots[slot]!;
    const { times } = stream;
    const folded = this.#timeMean.count > 0n ? reader.rice(parameter(this.#timeMean)) : reader.lengthCode();
    const line = 2n * BigInt(times.last) - BigInt(times.before);
    const time = (times.seen === 0 ? this.#clock : line) + unfold(folded);
    if (times.seen === 2) learn(this.#timeMean, folded);
    stream.times = { last: time, before: times.seen === 0 ? time : times.last, seen: Math.min(2, times.seen + 1) };
    this.#clock = time;
    const { type, key, schema } = stream;
    const row = { lane, type, key, schema, timestampMs: Number(time) };
    const inColumns = reader.oneBit() === 1n;
    this.seen.add(inColumns ? 'event: columns' : 'event: as it is');
    if (inColumns) {
      const payload = this.#eventPayload(reader, this.#schema(schema), stream);
      return { ...row, payload: payload.toString('hex') };
    }
    reader.align();
    return { ...row, payload: Buffer.from(reader.bytes.subarray(reader.at)).toString('hex') };
  }

  #eventPayload(reader: Bytes, state: SchemaState, stream: Stream): Buffer {
    const { columns } = state;
    if (reader.oneBit() === 0n) {
      this.seen.add('event: domains');
      columns.forEach(({ kind }, slot) => {
        if (kind === 'float' || kind === 'double') setDomain(state, slot, Number(reader.bits(4)));
      });
    }
    const parts: Buffer[] = [];
    const fresh: [string[], string][] = [];
    const found: (bigint | undefined)[] = [];
    columns.forEach((column, slot) => {
      const { kind, parent, nullBranch } = column;
      if (parent >= 0 && found[parent] !== 1n) return;
      const past = stream.pasts.get(slot);
      const keep = (value: Value): void => {
        const seen = Math.min(2, (past?.seen ?? 0) + 1);
        stream.pasts.set(slot, { last: value, before: past?.last ?? value, seen });
      };
      if (kind === 'presence' || kind === 'boolean') {
        const bit = reader.oneBit();
        found[slot] = bit;
        keep(bit);
        parts.push(avroValue(column, kind === 'presence' ? (bit === 1n ? 1 - nullBranch : nullBranch) : bit));
        return;
      }
      const source = past ?? state.recent?.pasts.get(slot);
      const last = source ? whole(state, slot, source.last) : 0n;
      const before = source ? whole(state, slot, source.before) : 0n;
      const [delta, slope] = [state.deltas[slot]!, state.slopes[slot]!];
      const seen = past?.seen ?? 0;
      this.seen.add(`event: ${kind}`);
      const useSlope = seen === 2 && slope.count > 0n && slope.sixteenths < delta.sixteenths;
      const mean = useSlope ? slope : seen > 0 && delta.count > 0n ? delta : undefined;
      const residual = unfold(mean ? reader.rice(parameter(mean)) : reader.lengthCode());
      const number = mod((useSlope ? 2n * last - before : last) + residual);
      if (seen > 0) learn(delta, fold(mod(number - last)));
      if (seen === 2) learn(slope, fold(mod(number - 2n * last + before)));
      if (kind === 'float' || kind === 'double') {
        const value = unwhole(state, slot, number);
        keep(value);
        parts.push(avroValue(column, value));
        return;
      }
      keep(number);
      if (kind !== 'string' && kind !== 'bytes') {
        parts.push(avroValue(column, number));
        return;
      }
      const dictionary = state.dictionaries[slot]!;
      let text = dictionary[Number(number)];
      if (kind === 'bytes' || text === undefined) {
        const length = Number(kind === 'bytes' ? number : reader.lengthCode());
        text = Buffer.from(Array.from({ length }, () => Number(reader.bits(8)))).toString('latin1');
        if (kind === 'string') fresh.push([dictionary, text]);
      }
      parts.push(avroText(text));
    });
    for (const [dictionary, text] of fresh) this.#addText(dictionary, text);
    state.recent = stream;
    return Buffer.concat(parts);
  }

  #name(reader: Bytes): { type: string; key: string; schema: bigint } {
    const form = reader.byte();
    this.seen.add(`definition ${form < 4 ? form : form & 0xc0}`);
    const last = this.#lastName;
    let { type, schema } = last;
    let shared: number;
    let rest: Uint8Array;
    if (form < 4) {
      type = Buffer.from(reader.take(reader.count()));
      shared = reader.count();
      rest = reader.take(reader.count());
      if (form >= 2) rest = Buffer.from([...rest].map((byte) => byte.toString(16).padStart(2, '0')).join(''));
      schema = form % 2 === 1 ? 0n : Buffer.from(reader.take(8)).readBigUInt64BE();
    } else {
      const n = form & 63;
      shared = form >= 128 ? last.key.length - n : reader.count();
      rest = reader.take(n);
    }
    const key = Buffer.concat([last.key.subarray(0, shared), rest]);
    this.#lastName = { type, key, schema };
    return { type: type.toString(), key: key.toString(), schema };
  }

  #keep(name: { type: string; key: string; schema: bigint }): number {
    const { type, key, schema } = name;
    const old = this.#slots.findIndex((s) => s?.type === type && s.key === key && s.schema === schema);
    if (old >= 0) this.#slots[old] = undefined;
    const slot = this.#defined % 1024;
    if (this.#slots[slot] !== undefined) this.seen.add('slot taken again');
    this.#slots[slot] = { ...name, times: { last: 0n, before: 0n, seen: 0 }, pasts: new Map() };
    this.#next.delete(slot);
    this.#defined += 1;
    return slot;
  }

  #follow(slot: number): void {
    this.#next.set(this.#lastSlot, slot);
    this.#lastSlot = slot;
  }

  #expected(): number {
    const following = (this.#lastSlot + 1) % 1024;
    return this.#next.get(this.#lastSlot) ?? (this.#slots[following] === undefined ? this.#lastSlot : following);
  }

  #schema(fingerprint: bigint): SchemaState {
    let state = this.#schemas.get(fingerprint);
    if (state === undefined) {
      const columns = naiveColumns(this.#avro(fingerprint));
      state = {
        columns,
        domains: columns.map(() => 0),
        dictionaries: columns.map(() => []),
        models: new Map(),
        deltas: columns.map(noMean),
        slopes: columns.map(noMean),
      };
      this.#schemas.set(fingerprint, state);
    }
    return state;
  }

  #head(reader: Bytes, withDomain?: (domain: number) => void): Head {
    const byte = reader.byte();
    if (byte & 0x40) withDomain!(reader.byte());
    const start = byte & 0x80 ? Buffer.from(reader.take(8)).readBigInt64LE() : undefined;
    const divisor = byte & 0x20 ? reader.varint() : 1n;
    this.seen.add(`coding ${byte & 7}`).add(`predictor ${(byte >> 3) & 3}`);
    if (byte & 0x20) this.seen.add('divisor');
    if (byte & 0x40) this.seen.add('domain');
    if (byte & 0x80) this.seen.add('start');
    return { coding: byte & 7, predictor: (byte >> 3) & 3, start, divisor };
  }

  #residuals(reader: Bytes, head: Head, length: number, range?: Range, model?: Model): bigint[] {
    return codings[head.coding]!(reader, length, range, model).map((value) => value * head.divisor);
  }

  /** Values of one column; `owners` are the streams of its rows. */
  #column(
    reader: Bytes,
    owners: Stream[],
    how: {
      past: (stream: Stream) => Past | undefined;
      cell0: bigint;
      toWhole?: (value: Value) => bigint;
      fromWhole?: (value: bigint) => Value;
      remember?: (stream: Stream, past: Past) => void;
      withDomain?: (domain: number) => void;
      range?: Range | undefined;
      model?: Model | undefined;
    },
  ): bigint[] {
    const head = this.#head(reader, how.withDomain);
    const residuals = this.#residuals(reader, head, owners.length, how.range, how.model);
    const toWhole = how.toWhole ?? ((value: Value) => BigInt(value));
    const fromWhole = how.fromWhole ?? ((value: bigint) => value);
    const pasts = new Map<Stream, { last: bigint; before: bigint; rawLast: Value; rawBefore: Value; seen: number }>();
    const values: bigint[] = [];
    owners.forEach((stream, i) => {
      const known = pasts.get(stream) ?? initial(how.past(stream), toWhole);
      const above = i > 0 ? values[i - 1]! : (head.start ?? how.cell0);
      // A start takes the place of cell 0 and of nothing else.
      const first = known.seen > 0 ? known.last : above;
      const second = known.seen > 0 ? known.before : above;
      const row = i > 0 ? above : first;
      const prediction = [0n, first, 2n * first - second, row][head.predictor]!;
      const value = mod(residuals[i]! + prediction);
      values.push(value);
      const raw = fromWhole(value);
      pasts.set(stream, {
        last: value,
        before: known.seen > 0 ? known.last : value,
        rawLast: raw,
        rawBefore: known.seen > 0 ? known.rawLast : raw,
        seen: Math.min(2, known.seen + 1),
      });
    });
    for (const [stream, { rawLast, rawBefore, seen }] of pasts) {
      const past = { last: rawLast, before: rawBefore, seen };
      if (how.remember) how.remember(stream, past);
      else stream.times = past;
    }
    return values;
  }

  #group(reader: Bytes, fingerprint: bigint, owners: Stream[], range?: Range): Uint8Array[] {
    const form = reader.byte();
    this.seen.add(`group ${form}`);
    if (form === 0) return this.#pieces(reader, owners.length);
    const strangers: number[] = [];
    if (form === 2) {
      const count = reader.count();
      for (let n = 0; n < count; n += 1) strangers.push((strangers.at(-1) ?? -1) + 1 + reader.count());
    }
    const others = owners.filter((_, i) => !strangers.includes(i));
    const state = this.#schema(fingerprint);
    const rows = this.#rows(reader, state, others, range);
    state.recent = others.at(-1)!;
    const opaque = strangers.length > 0 ? this.#pieces(reader, strangers.length) : [];
    return owners.map((_, i) => (strangers.includes(i) ? opaque.shift()! : rows.shift()!));
  }

  #rows(reader: Bytes, state: SchemaState, owners: Stream[], range?: Range): Buffer[] {
    const parts: Buffer[][] = owners.map(() => []);
    const presence: Map<number, Set<number>> = new Map();
    const fresh: [string[], string][] = [];
    state.columns.forEach((column, slot) => {
      const { kind, parent, nullBranch } = column;
      const mine = owners.map((_, i) => i).filter((i) => parent < 0 || presence.get(parent)!.has(i));
      if (mine.length === 0) {
        presence.set(slot, new Set());
        return;
      }
      this.seen.add(`batch: ${kind}`);
      const streams = mine.map((i) => owners[i]!);
      const isFloat = kind === 'float' || kind === 'double';
      const dictionary = state.dictionaries[slot]!;
      const added: string[] = [];
      if (kind === 'string') {
        const count = reader.count();
        if (count > 0) {
          added.push(...this.#pieces(reader, count).map((piece) => Buffer.from(piece).toString('latin1')));
        }
      }
      const recent = state.recent?.pasts.get(slot);
      let model = state.models.get(slot);
      if (model === undefined) {
        model = { chance: Array.from({ length: 223 }, () => 16_384), seen: Array.from({ length: 223 }, () => 0) };
        state.models.set(slot, model);
      }
      // The domain is read before any value is converted.
      const numbers = this.#column(reader, streams, {
        past: (stream) => stream.pasts.get(slot),
        get cell0(): bigint {
          return recent ? whole(state, slot, recent.last) : 0n;
        },
        toWhole: (value) => whole(state, slot, value),
        fromWhole: (value) => (isFloat ? unwhole(state, slot, value) : value),
        remember: (stream, past) => stream.pasts.set(slot, past),
        withDomain: (domain) => setDomain(state, slot, domain),
        range,
        model,
      });
      if (kind === 'presence') presence.set(slot, new Set(mine.filter((_, n) => numbers[n] === 1n)));
      const table = [...dictionary, ...added];
      const pieces = kind === 'bytes' ? this.#blob(reader, numbers.map(Number)) : [];
      mine.forEach((i, n) => {
        const number = numbers[n]!;
        if (kind === 'presence') {
          parts[i]!.push(avroValue(column, number === 1n ? 1 - nullBranch : nullBranch));
        } else if (isFloat) parts[i]!.push(avroValue(column, unwhole(state, slot, number)));
        else if (kind === 'string') parts[i]!.push(avroText(table[Number(number)]!));
        else if (kind === 'bytes') parts[i]!.push(avroText(Buffer.from(pieces[n]!).toString('latin1')));
        else parts[i]!.push(avroValue(column, number));
      });
      for (const text of added) fresh.push([dictionary, text]);
    });
    for (const [dictionary, text] of fresh) this.#addText(dictionary, text);
    return parts.map((row) => Buffer.concat(row));
  }

  #addText(dictionary: string[], text: string): void {
    if (text.length > 16_384) return;
    const bytes = (all: string[]): number => all.reduce((sum, known) => sum + known.length, 0);
    if (dictionary.length === 256 || bytes(dictionary) + text.length > 16_384) {
      this.seen.add('dictionary emptied');
      dictionary.length = 0;
    }
    const every = [...this.#schemas.values()].flatMap(({ dictionaries }) => dictionaries);
    const counted = every.reduce((sum, one) => sum + bytes(one) + 64 * one.length, 0);
    if (counted + text.length + 64 > 262_144) this.seen.add('all dictionaries emptied');
    if (counted + text.length + 64 > 262_144) for (const one of every) one.length = 0;
    dictionary.push(text);
  }

  #pieces(reader: Bytes, count: number): Uint8Array[] {
    const nobody: Stream = {
      type: '',
      key: '',
      schema: 0n,
      times: { last: 0n, before: 0n, seen: 0 },
      pasts: new Map(),
    };
    const lengths = this.#column(
      reader,
      Array.from({ length: count }, () => nobody),
      {
        past: () => undefined,
        cell0: 0n,
        remember: () => undefined,
      },
    );
    return this.#blob(reader, lengths.map(Number));
  }

  #blob(reader: Bytes, lengths: number[]): Uint8Array[] {
    const total = lengths.reduce((sum, length) => sum + length, 0);
    let bytes: Uint8Array = Buffer.alloc(0);
    if (total > 0) {
      const form = reader.byte();
      this.seen.add(`blob ${form}`);
      if (form === 0) bytes = reader.take(total);
      else {
        let packed = reader.take(reader.count());
        const flags = form === 2 ? packed.subarray(0, Math.ceil(lengths[0]! / 8)) : [];
        packed = packed.subarray(flags.length);
        bytes = zstdDecompressSync(Buffer.concat([Buffer.from('28b52ffd', 'hex'), packed]));
        if (form === 2) {
          const turned = bytes;
          bytes = Buffer.alloc(total);
          const size = lengths[0]!;
          lengths.forEach((_, i) => {
            for (let p = 0; p < size; p += 1) {
              const isDifference = (flags[p >> 3]! >> (p & 7)) & 1;
              const above = i > 0 && isDifference ? bytes[(i - 1) * size + p]! : 0;
              bytes[i * size + p] = (turned[p * lengths.length + i]! + above) % 256;
            }
          });
        }
      }
    }
    let at = 0;
    return lengths.map((length) => bytes.subarray(at, (at += length)));
  }
}

interface Head {
  coding: number;
  predictor: number;
  start: bigint | undefined;
  divisor: bigint;
}
interface Model {
  chance: number[];
  seen: number[];
}

function initial(past: Past | undefined, toWhole: (value: Value) => bigint) {
  if (past === undefined || past.seen === 0) return { last: 0n, before: 0n, rawLast: 0n, rawBefore: 0n, seen: 0 };
  const { last, before, seen } = past;
  return { last: toWhole(last), before: toWhole(before), rawLast: last, rawBefore: before, seen };
}

const codings: ((reader: Bytes, length: number, range?: Range, model?: Model) => bigint[])[] = [
  (_, length) => Array.from({ length }, () => 0n),
  (reader, length) => {
    const value = reader.signed();
    return Array.from({ length }, () => value);
  },
  (reader, length) => {
    const values: bigint[] = [];
    const runs = reader.count();
    for (let n = 1; n <= runs; n += 1) {
      const value = reader.signed();
      const end = n === runs ? length : values.length + 1 + reader.count();
      while (values.length < end) values.push(value);
    }
    return values;
  },
  (reader, length) => {
    const head = reader.byte();
    const width = head & 63;
    const least = reader.signed();
    const values = Array.from({ length }, () => least + reader.bits(width));
    reader.align();
    const exceptions = head & 64 ? reader.count() : 0;
    for (let n = 0, at = -1; n < exceptions; n += 1) {
      at += 1 + reader.count();
      values[at]! += reader.signed() << BigInt(width);
    }
    return values;
  },
  (reader, length) => {
    const head = reader.byte();
    const middle = head & 64 ? reader.signed() : 0n;
    const values = Array.from({ length }, () => middle + unfold(reader.rice(head & 63)));
    reader.align();
    return values;
  },
  (_, length, range, model) => rangeValues(length, range!, model!),
  (reader, length) => {
    const width = reader.byte();
    return Array.from({ length }, () => {
      const hex = Buffer.from(reader.take(width).toReversed()).toString('hex');
      return BigInt.asIntN(8 * width, BigInt(`0x${hex}`));
    });
  },
];

function rangeValues(length: number, range: Range, { chance, seen }: Model): bigint[] {
  const bit = (context: number): number => {
    const p = chance[context]!;
    const n = seen[context]!;
    const value = range.bit(p);
    const moved = p + Math.floor((((value === 1 ? 32_767 : 0) - p) * Math.floor(131_072 / (2 * n + 3))) / 65_536);
    chance[context] = Math.min(32_736, Math.max(32, moved));
    seen[context] = Math.min(60, n + 1);
    return value;
  };
  let signContext = 64;
  return Array.from({ length }, () => {
    let node = 1;
    for (let n = 0; n < 6; n += 1) node = 2 * node + bit(node);
    const bits = node - 64;
    if (bits === 0) {
      signContext = 64;
      return 0n;
    }
    const sign = bit(signContext);
    signContext = 65 + sign;
    let size = 1n;
    for (let n = 1; n < bits; n += 1) {
      const context = 67 + 3 * bits + (n === 1 ? 0 : 1 + Number(size & 1n));
      size = 2n * size + BigInt(n <= 2 ? bit(context) : range.bit(16_384));
    }
    return sign === 1 ? -size : size;
  });
}

function whole(state: SchemaState, slot: number, value: Value): bigint {
  const { kind } = state.columns[slot]!;
  if (kind !== 'float' && kind !== 'double') return BigInt(value);
  const domain = state.domains[slot]!;
  if (domain === 15) return orderedBits(kind, Number(value));
  const scaled = Math.floor(Number(value) * 10 ** domain + 0.5);
  return Math.abs(scaled) < 2 ** 48 ? BigInt(scaled) : 0n;
}

function unwhole(state: SchemaState, slot: number, value: bigint): number {
  const { kind } = state.columns[slot]!;
  const domain = state.domains[slot]!;
  if (domain < 15) return kind === 'float' ? Math.fround(Number(value) / 10 ** domain) : Number(value) / 10 ** domain;
  const bytes = Buffer.alloc(8);
  if (kind === 'float') {
    bytes.writeInt32BE(Number(value >= 0n ? value : value ^ 0x7fff_ffffn));
    return bytes.readFloatBE();
  }
  bytes.writeBigInt64BE(value >= 0n ? value : value ^ 0x7fff_ffff_ffff_ffffn);
  return bytes.readDoubleBE();
}

function setDomain(state: SchemaState, slot: number, domain: number): void {
  if (state.domains[slot] === domain) return;
  state.domains[slot] = domain;
  state.deltas[slot] = noMean();
  state.slopes[slot] = noMean();
}

function parameter({ sixteenths }: Mean): number {
  return Math.min(50, bitLength(sixteenths / 32n));
}

function learn(mean: Mean, folded: bigint): void {
  const capped = folded < 2n ** 52n ? folded : 2n ** 52n;
  const most = mean.count === 0n ? 2n ** 40n : mean.sixteenths + 16n;
  const value = capped < most ? capped : most;
  if (mean.count < 16n) mean.count += 1n;
  const change = value * 16n - mean.sixteenths;
  // Rounded down, also below zero.
  mean.sixteenths += change >= 0n ? change / mean.count : -((-change + mean.count - 1n) / mean.count);
}

function avroVarint(value: bigint): Buffer {
  let rest = fold(value);
  const bytes: number[] = [];
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) + 128);
  return Buffer.from([...bytes, Number(rest)]);
}

function avroText(text: string): Buffer {
  return Buffer.concat([avroVarint(BigInt(text.length)), Buffer.from(text, 'latin1')]);
}

function avroValue({ kind }: Column, value: Value): Buffer {
  if (kind === 'boolean') return Buffer.from([Number(value)]);
  if (kind === 'float' || kind === 'double') {
    const bytes = Buffer.alloc(kind === 'float' ? 4 : 8);
    if (kind === 'float') bytes.writeFloatLE(Number(value));
    else bytes.writeDoubleLE(Number(value));
    return bytes;
  }
  return avroVarint(BigInt(value));
}
