import type { MemberText } from './document-table.ts';
import type { EventRow, RequestPlace } from './row.ts';
import { jsonOrNull } from './statement.ts';
import type { Write } from './write.ts';

/** As the store's thread takes them: documents of devices are text already. */
export type StoreWrite = WholeWrite | { kind: MemberKind; member: MemberText };

type MemberKind = 'job-device' | 'rollout-device';
type WholeWrite = Exclude<Write, { kind: MemberKind }>;

/**
 * Writes on their way to the store's thread. To clone a value costs more than to store it, so what jobs and events
 * write by the thousand travels as numbers, which move as they lie, and as few texts as can be: one that says the same
 * as the one before it in its column is not sent again. Any other write is cloned as it is.
 */
export interface PackedWrites {
  /** For each write its code (see below), then its numbers, then for each of its texts where that stands. */
  numbers: Float64Array<ArrayBuffer>;
  texts: string[];
  /** Of the events, one behind the other. */
  payloads: Uint8Array<ArrayBuffer>;
  /** Writes of code 7. */
  whole: WholeWrite[];
}

// 0 job-device, 1 rollout-device  position | parentId · deviceId · document · output
const memberKinds = ['job-device', 'rollout-device'] as const;
// 2 event  offset · lane · seq · timestampMs · receivedAtMs · payload bytes | deviceId · instanceId · type · key · schema
const eventCode = 2;
// 3 request  place · createdAtMs · expiresAtMs | type · key · payload
const requestCode = 3;
// 4 request-removed  4 × given · place (row · lane · seq | deviceId)
const removedCode = 4;
// 5 cursor  lane · seq · atMs | deviceId · instanceId
const cursorCode = 5;
// 6 request-seq  4 × seq | deviceId
const requestSeqCode = 6;
// 7 any other  the next of `whole`
const wholeCode = 7;

/** What repeats itself from write to write, of whatever kind. */
const columns = { device: 0, instance: 1, parent: 2, output: 3, type: 4, key: 5, payload: 6, schema: 7 } as const;
type Column = (typeof columns)[keyof typeof columns];

/** Where a text stands: it is the one before it in its column, it is the next of `texts`, there is none. */
const textPlaces = { asBefore: 0, next: 1, none: 2 } as const;

/** Numbers of a write at most: those of an event. */
const mostNumbers = 12;
/** In place of a seq: it has none. */
const noSeq = -1;

export function packWrites(writes: readonly Write[]): PackedWrites {
  const packer = new Packer(writes.length);
  for (const write of writes) packer.pack(write);
  return packer.packed();
}

/** What takes these along to another thread without a copy. */
export function buffersOf({ numbers, payloads }: PackedWrites): ArrayBuffer[] {
  return [numbers.buffer, payloads.buffer];
}

class Packer {
  readonly #texts: string[] = [];
  readonly #whole: WholeWrite[] = [];
  readonly #payloads: Uint8Array[] = [];
  readonly #before = Object.values(columns).map((): string | null => null);
  readonly #numbers: Float64Array<ArrayBuffer>;
  #length = 0;
  #payloadBytes = 0;

  constructor(writes: number) {
    this.#numbers = new Float64Array(writes * mostNumbers);
  }

  pack(write: Write): void {
    switch (write.kind) {
      case 'job-device':
      case 'rollout-device': {
        const { parentId, position, deviceId, document, output } = write.member;
        this.#number(memberKinds.indexOf(write.kind));
        this.#number(position);
        this.#text(columns.parent, parentId);
        this.#text(columns.device, deviceId);
        this.#texts.push(JSON.stringify(document));
        return this.#text(columns.output, jsonOrNull(output));
      }
      case 'event':
        return this.#event(write.event);
      case 'request': {
        const { type, key, payload, createdAtMs, expiresAtMs } = write.request;
        this.#number(requestCode);
        this.#place(write.request);
        this.#number(createdAtMs);
        this.#number(expiresAtMs);
        this.#text(columns.type, type);
        this.#text(columns.key, key);
        return this.#text(columns.payload, payload);
      }
      case 'request-removed':
        this.#number(removedCode);
        for (const seq of write.given) this.#number(seq);
        return this.#place(write.request);
      case 'cursor': {
        const { deviceId, instanceId, lane, seq, atMs } = write.cursor;
        this.#number(cursorCode);
        this.#number(lane);
        this.#number(seq);
        this.#number(atMs);
        this.#text(columns.device, deviceId);
        return this.#text(columns.instance, instanceId);
      }
      case 'request-seq':
        this.#number(requestSeqCode);
        for (const seq of write.seq) this.#number(seq);
        return this.#text(columns.device, write.deviceId);
      default:
        this.#number(wholeCode);
        this.#whole.push(write);
    }
  }

  packed(): PackedWrites {
    const payloads = new Uint8Array(this.#payloadBytes);
    let at = 0;
    for (const payload of this.#payloads) {
      payloads.set(payload, at);
      at += payload.length;
    }
    return { numbers: this.#numbers.subarray(0, this.#length), texts: this.#texts, payloads, whole: this.#whole };
  }

  #event(event: EventRow): void {
    const { offset, deviceId, instanceId, lane, seq, type, key, timestampMs, receivedAtMs, schema, payload } = event;
    this.#number(eventCode);
    this.#number(offset);
    this.#number(lane);
    this.#number(seq);
    this.#number(timestampMs);
    this.#number(receivedAtMs);
    this.#number(payload.length);
    this.#text(columns.device, deviceId);
    this.#text(columns.instance, instanceId);
    this.#text(columns.type, type);
    this.#text(columns.key, key);
    this.#text(columns.schema, schema ?? null);
    this.#payloads.push(payload);
    this.#payloadBytes += payload.length;
  }

  #place({ row, deviceId, lane, seq = noSeq }: RequestPlace): void {
    this.#number(row);
    this.#number(lane);
    this.#number(seq);
    this.#text(columns.device, deviceId);
  }

  #number(value: number): void {
    this.#numbers[this.#length] = value;
    this.#length += 1;
  }

  #text(column: Column, text: string | null): void {
    if (this.#before[column] === text) return this.#number(textPlaces.asBefore);
    this.#before[column] = text;
    if (text === null) return this.#number(textPlaces.none);
    this.#number(textPlaces.next);
    this.#texts.push(text);
  }
}

/** In the order in which they were packed. */
export function unpackWrites(packed: PackedWrites): StoreWrite[] {
  const unpacker = new Unpacker(packed);
  const writes: StoreWrite[] = [];
  while (unpacker.hasMore) writes.push(unpacker.next());
  return writes;
}

class Unpacker {
  readonly #packed: PackedWrites;
  readonly #before = Object.values(columns).map((): string | null => null);
  #nextNumber = 0;
  #nextText = 0;
  #nextByte = 0;
  #nextWhole = 0;

  constructor(packed: PackedWrites) {
    this.#packed = packed;
  }

  get hasMore(): boolean {
    return this.#nextNumber < this.#packed.numbers.length;
  }

  next(): StoreWrite {
    const code = this.#number();
    switch (code) {
      case 0:
      case 1: {
        const position = this.#number();
        const parentId = this.#text(columns.parent)!;
        const deviceId = this.#text(columns.device)!;
        const document = this.#ownText();
        const member = { parentId, position, deviceId, document, output: this.#text(columns.output) };
        return { kind: memberKinds[code], member };
      }
      case eventCode:
        return { kind: 'event', event: this.#event() };
      case requestCode: {
        const place = this.#place();
        const createdAtMs = this.#number();
        const expiresAtMs = this.#number();
        const type = this.#text(columns.type)!;
        const key = this.#text(columns.key)!;
        const payload = this.#text(columns.payload)!;
        return { kind: 'request', request: { ...place, type, key, payload, createdAtMs, expiresAtMs } };
      }
      case removedCode: {
        const given = this.#lanes();
        return { kind: 'request-removed', request: this.#place(), given };
      }
      case cursorCode: {
        const lane = this.#number();
        const seq = this.#number();
        const atMs = this.#number();
        const deviceId = this.#text(columns.device)!;
        return { kind: 'cursor', cursor: { deviceId, instanceId: this.#text(columns.instance)!, lane, seq, atMs } };
      }
      case requestSeqCode: {
        const seq = this.#lanes();
        return { kind: 'request-seq', deviceId: this.#text(columns.device)!, seq };
      }
      default: {
        const write = this.#packed.whole[this.#nextWhole]!;
        this.#nextWhole += 1;
        return write;
      }
    }
  }

  #event(): EventRow {
    const offset = this.#number();
    const lane = this.#number();
    const seq = this.#number();
    const timestampMs = this.#number();
    const receivedAtMs = this.#number();
    const end = this.#nextByte + this.#number();
    const payload = this.#packed.payloads.subarray(this.#nextByte, end);
    this.#nextByte = end;
    const deviceId = this.#text(columns.device)!;
    const instanceId = this.#text(columns.instance)!;
    const type = this.#text(columns.type)!;
    const key = this.#text(columns.key)!;
    const schema = this.#text(columns.schema);
    const event = { offset, deviceId, instanceId, lane, seq, type, key, timestampMs, receivedAtMs, payload };
    return schema === null ? event : { ...event, schema };
  }

  #place(): RequestPlace {
    const row = this.#number();
    const lane = this.#number();
    const seq = this.#number();
    const deviceId = this.#text(columns.device)!;
    return seq === noSeq ? { row, deviceId, lane } : { row, deviceId, lane, seq };
  }

  #lanes(): [number, number, number, number] {
    return [this.#number(), this.#number(), this.#number(), this.#number()];
  }

  #number(): number {
    const value = this.#packed.numbers[this.#nextNumber]!;
    this.#nextNumber += 1;
    return value;
  }

  /** Of no column. */
  #ownText(): string {
    const text = this.#packed.texts[this.#nextText]!;
    this.#nextText += 1;
    return text;
  }

  #text(column: Column): string | null {
    const place = this.#number();
    if (place !== textPlaces.asBefore) this.#before[column] = place === textPlaces.next ? this.#ownText() : null;
    return this.#before[column]!;
  }
}
