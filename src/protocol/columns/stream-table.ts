import { Buffer } from 'node:buffer';
import { decodeText } from '../byte-reader.ts';
import type { ByteWriter } from '../byte-writer.ts';
import { maxKeyBytes, maxTypeBytes } from '../limit.ts';
import { ProtocolError } from '../protocol-error.ts';
import type { BodyReader } from './body-reader.ts';
import { maxStreams } from './limit.ts';
import { isPassing } from './passing.ts';
import type { StreamMemory } from './memory.ts';

/** One (type, key, schema): what a row's slot number stands for. */
export interface Stream {
  readonly type: string;
  readonly key: string;
  readonly schema: bigint;
  slot: number;
  /** Times of its last two rows; `timesSeen` up to 2. */
  lastTimeMs: number;
  beforeTimeMs: number;
  timesSeen: number;
  memory: StreamMemory | undefined;
  /** The next one in the index: another type or schema of the same key. */
  sameKey: Stream | undefined;
}

type Name = Pick<Stream, 'type' | 'key' | 'schema'>;

/** UTF-8 of the two keys of a definition, the one before and its own. A device's job is one: this is hot. */
const lastKey = Buffer.allocUnsafe(maxKeyBytes);
const nextKey = Buffer.allocUnsafe(maxKeyBytes);

/** No slot has followed yet. */
const unknown = 0xffff;
/** Of a stream that passes. */
const noSlot = -1;

const definition = { whole: 0, json: 1, hex: 2, sameLength: 0x80, sameStream: 0x40, lengthMask: 0x3f } as const;

/**
 * Streams of one direction of a connection, in slots; the n-th definition takes the place of the (n - 1024)th. It also
 * knows which slot followed which, so that the usual order of streams costs nothing.
 *
 * A definition, front-coded against the one before (the first against an empty one):
 *
 *     u8 0x80 | n          type and schema as before, a key of the same length: · the last n bytes of the key
 *     u8 0x40 | n          type and schema as before: · varint shared · n more bytes of the key
 *     u8 1                 schema 0: · block type · varint shared · block rest of the key
 *     u8 0                 the same · u64 schema
 *     u8 3, 2              as 1 and 0; the rest of the key is lower-case hex, two digits a byte
 *
 * n is 0 to 63; the first form that fits is the one to use.
 */
export class StreamTable {
  readonly #slots: (Stream | undefined)[] = [];
  readonly #byKey = new Map<string, Stream>();
  readonly #next = new Uint16Array(maxStreams).fill(unknown);
  #defined = 0;
  #lastSlot = maxStreams - 1;
  #lastName: Name = { type: '', key: '', schema: 0n };

  at(slot: number): Stream {
    const stream = this.#slots[slot];
    if (stream === undefined) throw new ProtocolError('stream', `stream ${slot} was never defined`);
    return stream;
  }

  find(type: string, key: string, schema: bigint): Stream | undefined {
    let stream = this.#byKey.get(key);
    while (stream !== undefined && (stream.type !== type || stream.schema !== schema)) stream = stream.sameKey;
    return stream;
  }

  /** The slot that most likely comes after the last one: as it was before, or the next one that there is, or the same. */
  get expected(): number {
    const last = this.#lastSlot;
    const known = this.#next[last]!;
    if (known !== unknown) return known;
    const following = (last + 1) % maxStreams;
    return this.#slots[following] === undefined ? last : following;
  }

  /** Takes note of the next row's slot. */
  follow(slot: number): void {
    if (slot === noSlot) return;
    this.#next[this.#lastSlot] = slot;
    this.#lastSlot = slot;
  }

  /** Gives a new stream its slot and writes its definition. */
  define(out: ByteWriter, type: string, key: string, schema: bigint): Stream {
    const name = { type, key, schema };
    writeDefinition(out, this.#lastName, name);
    return this.#add(name);
  }

  /** Writes the definition of a stream that passes: it has no slot, and nobody remembers it. */
  pass(out: ByteWriter, type: string, key: string, schema: bigint): Stream {
    const name = { type, key, schema };
    writeDefinition(out, this.#lastName, name);
    return this.#pass(name);
  }

  /** @param mayPass where a stream that passes takes no slot */
  readDefinition(reader: BodyReader, mayPass = false): Stream {
    const name = readDefinition(reader, this.#lastName);
    if (mayPass && isPassing(name)) return this.#pass(name);
    const again = this.find(name.type, name.key, name.schema);
    if (again !== undefined) this.forget(again);
    return this.#add(name);
  }

  /** Whether the next `count` definitions would take this slot. */
  isTakenBy(slot: number, count: number): boolean {
    return (slot - (this.#defined % maxStreams) + maxStreams) % maxStreams < count;
  }

  /** Forgets a stream that is about to be defined again. */
  forget(stream: Stream): void {
    const first = this.#byKey.get(stream.key);
    if (first !== stream) {
      let before = first;
      while (before?.sameKey !== stream) before = before!.sameKey;
      before.sameKey = stream.sameKey;
    } else if (stream.sameKey === undefined) this.#byKey.delete(stream.key);
    else this.#byKey.set(stream.key, stream.sameKey);
    this.#slots[stream.slot] = undefined;
  }

  /** About what it takes in memory. */
  get heldBytes(): number {
    let bytes = 4_096;
    for (const stream of this.#slots) {
      if (stream === undefined) continue;
      bytes += 384 + 2 * (stream.type.length + stream.key.length) + (stream.memory?.heldBytes ?? 0);
    }
    return bytes;
  }

  /** All of it as bytes, the same on both ends: for the state's token. */
  describe(out: ByteWriter): void {
    out.varint(this.#defined);
    out.varint(this.#lastSlot);
    out.text(this.#lastName.type);
    out.text(this.#lastName.key);
    out.uint64(this.#lastName.schema);
    for (const slot of this.#next) out.uint16(slot);
    this.#slots.forEach((stream, slot) => {
      if (stream === undefined) return;
      out.varint(slot);
      out.text(stream.type);
      out.text(stream.key);
      out.uint64(stream.schema);
      for (const time of [stream.lastTimeMs, stream.beforeTimeMs, stream.timesSeen]) out.varint(time);
      if (stream.memory === undefined) out.varint(0);
      else stream.memory.describe(out);
    });
  }

  #pass(name: Name): Stream {
    this.#lastName = name;
    return newStream(name, noSlot, undefined);
  }

  #add(name: Name): Stream {
    const slot = this.#defined % maxStreams;
    const replaced = this.#slots[slot];
    if (replaced !== undefined) this.forget(replaced);
    const stream = newStream(name, slot, this.#byKey.get(name.key));
    this.#slots[slot] = stream;
    this.#next[slot] = unknown;
    this.#byKey.set(name.key, stream);
    this.#lastName = name;
    this.#defined += 1;
    return stream;
  }
}

function newStream({ type, key, schema }: Name, slot: number, sameKey: Stream | undefined): Stream {
  return { type, key, schema, slot, lastTimeMs: 0, beforeTimeMs: 0, timesSeen: 0, memory: undefined, sameKey };
}

function writeDefinition(out: ByteWriter, last: Name, next: Name): void {
  const lastBytes = lastKey.write(last.key);
  const nextBytes = nextKey.write(next.key);
  const most = Math.min(lastBytes, nextBytes);
  let shared = 0;
  while (shared < most && lastKey[shared] === nextKey[shared]) shared += 1;
  const rest = nextKey.subarray(shared, nextBytes);
  if (last.type === next.type && last.schema === next.schema && rest.length < 64) {
    const sameLength = lastBytes === nextBytes;
    out.byte((sameLength ? definition.sameLength : definition.sameStream) | rest.length);
    if (!sameLength) out.varint(shared);
    out.bytes(rest);
  } else {
    const packed = packHex(rest);
    out.byte((next.schema === 0n ? definition.json : definition.whole) | (packed === undefined ? 0 : definition.hex));
    out.text(next.type);
    out.varint(shared);
    out.block(packed ?? rest);
    if (next.schema !== 0n) out.uint64(next.schema);
  }
}

/** Serial numbers and hashes are hex more often than not: half the bytes. */
function packHex(text: Buffer): Uint8Array | undefined {
  const latin1 = text.toString('latin1');
  return /^(?:[0-9a-f]{2}){2,}$/.test(latin1) ? Buffer.from(latin1, 'hex') : undefined;
}

function readDefinition(reader: BodyReader, last: Name): Name {
  const form = reader.byte();
  const lastBytes = lastKey.write(last.key);
  let { type, schema } = last;
  let shared: number;
  let rest: Uint8Array;
  if (form <= (definition.json | definition.hex)) {
    type = decodeText(reader.bytes(reader.varint(maxTypeBytes)));
    shared = reader.varint(lastBytes);
    rest = reader.bytes(reader.varint(maxKeyBytes));
    if ((form & definition.hex) !== 0) rest = Buffer.from(Buffer.from(rest).toString('hex'), 'latin1');
    const isJson = (form & definition.json) !== 0;
    schema = isJson ? 0n : Buffer.from(reader.bytes(8)).readBigUInt64BE();
    if (!isJson && schema === 0n) throw new ProtocolError('stream', 'schema 0 has a form of its own');
  } else {
    const restBytes = form & definition.lengthMask;
    const kind = form & ~definition.lengthMask;
    if (kind !== definition.sameLength && kind !== definition.sameStream) {
      throw new ProtocolError('stream', `a definition of form ${form}`);
    }
    shared = kind === definition.sameLength ? lastBytes - restBytes : reader.varint(lastBytes);
    rest = reader.bytes(restBytes);
  }
  if (type.length === 0) throw new ProtocolError('stream', 'a stream without a type');
  if (shared < 0 || shared + rest.length > maxKeyBytes) throw new ProtocolError('stream', 'a key of a wrong length');
  lastKey.set(rest, shared);
  return { type, key: decodeText(lastKey.subarray(0, shared + rest.length)), schema };
}
