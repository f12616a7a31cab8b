/** Frame to message; the layouts stand in encode.ts. A field out of its range or a byte too many is a ProtocolError. */
import type { Buffer } from 'node:buffer';
import { inflateRawSync } from 'node:zlib';
import { ByteReader, decodeText } from './byte-reader.ts';
import { chunkKinds, creditKinds, defineKinds, knownBit } from './encode.ts';
import { FrameType, type Frame } from './frame.ts';
import { laneCount, type Lane } from './lane.ts';
import {
  chunkBytes,
  maxAgentVersionBytes,
  maxDetailBytes,
  maxExtensionBytes,
  maxExtensions,
  maxFrameBytes,
  maxLaneCount,
  maxSchemaBytes,
  maxTimestampMs,
  maxWantBytes,
} from './limit.ts';
import {
  closeCodes,
  gapReasons,
  nackClasses,
  standings,
  wantRefusals,
  type ChunkMessage,
  type CloseCode,
  type CreditMessage,
  type Extension,
  type Message,
} from './message.ts';
import { ProtocolError } from './protocol-error.ts';

export function decodeMessage(frame: Frame): Message {
  const { type } = frame;
  if (type === FrameType.event || type === FrameType.batch) {
    return { type: type === FrameType.event ? 'event' : 'batch', body: frame.body };
  }
  const body = new ByteReader(frame.body);
  const message = readBody(frame.type, body);
  body.end();
  return message;
}

function readBody(type: FrameType, body: ByteReader): Message {
  switch (type) {
    case FrameType.hello:
      return hello(body);
    case FrameType.welcome:
      return welcome(body);
    case FrameType.reject:
    case FrameType.goaway:
      return farewell(type === FrameType.reject ? 'reject' : 'goaway', body);
    case FrameType.ack:
      return ack(body);
    case FrameType.nack: {
      const head = body.varint();
      return {
        type: 'nack',
        lane: laneOf(head),
        ahead: Math.floor(head / 4),
        class: named(nackClasses, body.byte(), 'class of NACK'),
        code: body.varint(),
        retryAfterMs: body.varint(),
        detail: body.restText(maxDetailBytes),
      };
    }
    case FrameType.ping:
      return { type: 'ping', keepaliveMs: body.remaining === 0 ? 0 : atLeastOne(body.varint(), 'PING') };
    case FrameType.pong:
      return { type: 'pong' };
    case FrameType.define:
      return define(body);
    case FrameType.gap: {
      const head = body.varint();
      const skipped = atLeastOne(Math.floor(head / 4), 'GAP');
      return { type: 'gap', lane: laneOf(head), skipped, reason: named(gapReasons, body.byte(), 'reason of GAP') };
    }
    case FrameType.credit:
      return credit(body);
    case FrameType.chunk:
      return chunk(body);
    default:
      throw new ProtocolError('frame-type', `frame type ${type} is not spoken here`);
  }
}

function hello(body: ByteReader): Message {
  return {
    type: 'hello',
    minVersion: body.varint(),
    maxVersion: body.varint(),
    features: body.varint(),
    instanceId: body.uint64(),
    knownCoordinatorInstanceId: body.uint64(),
    keepaliveMs: body.varint(),
    nextSeq: perLane(body),
    requestCursor: perLane(body),
    agentVersion: body.text(maxAgentVersionBytes),
    extensions: extensions(body),
  };
}

function welcome(body: ByteReader): Message {
  const [version, features, standing] = [body.varint(), body.varint(), body.byte()];
  return {
    type: 'welcome',
    version,
    features,
    standing: named(standings, standing & ~knownBit, 'standing'),
    coordinatorInstanceId: standing >= knownBit ? 'known' : body.uint64(),
    sessionId: body.varint(),
    eventCursor: perLane(body),
    keepaliveMs: body.varint(),
    creditBytes: body.varint(),
    maxFrameBytes: body.varint(maxFrameBytes),
    serverTimeMs: body.varint(maxTimestampMs),
    extensions: extensions(body),
  };
}

function perLane(body: ByteReader): number[] {
  return Array.from({ length: laneCount }, () => body.varint(maxLaneCount));
}

function extensions(body: ByteReader): Extension[] {
  const list: Extension[] = [];
  let last = 0;
  while (body.remaining > 0) {
    const tag = body.varint();
    if (tag <= last) throw new ProtocolError('value', `extension ${tag} after ${last}`, { expected: 'rising tags' });
    if (list.length === maxExtensions) throw new ProtocolError('value', `more than ${maxExtensions} extensions`);
    last = tag;
    list.push({ tag, value: body.block(maxExtensionBytes) });
  }
  return list;
}

const closeCodeNames = new Map(Object.entries(closeCodes).map(([name, code]) => [code as number, name as CloseCode]));

function farewell(type: 'reject' | 'goaway', body: ByteReader): Message {
  // A code of a later version must not cost the retry hint.
  const code = closeCodeNames.get(body.varint()) ?? 'other';
  return { type, code, retryAfterMs: body.varint(), detail: body.restText(maxDetailBytes) };
}

function ack(body: ByteReader): Message {
  if (body.remaining === 0) return { type: 'ack', lane: 0, count: 1 };
  const head = body.varint();
  if (head === 4) throw new ProtocolError('value', 'ACK of one on lane 0 has an empty body');
  return { type: 'ack', lane: laneOf(head), count: atLeastOne(Math.floor(head / 4), 'ACK') };
}

function define(body: ByteReader): Message {
  const kind = body.byte();
  if (kind !== defineKinds.schema) throw new ProtocolError('value', `kind ${kind} of DEFINE is not spoken here`);
  const fingerprint = body.uint64();
  if (fingerprint === 0n) throw new ProtocolError('value', 'schema 0 is JSON');
  const bytes = body.varint(maxSchemaBytes);
  return { type: 'define', fingerprint, text: decodeText(inflated(body.rest(), bytes)) };
}

/** Gives up as soon as there is one byte too many. */
function inflated(compressed: Uint8Array, bytes: number): Uint8Array {
  try {
    const { buffer, engine } = inflateRawSync(compressed, {
      maxOutputLength: bytes + 1,
      info: true,
    }) as unknown as { buffer: Buffer; engine: { bytesWritten: number } };
    if (buffer.length === bytes && engine.bytesWritten === compressed.length) return buffer;
  } catch {
    // what is wrong with it is the same to us
  }
  throw new ProtocolError('value', 'the text of a schema is not what it says', { expected: `${bytes} bytes` });
}

function credit(body: ByteReader): CreditMessage {
  const kind = body.byte();
  switch (kind) {
    case creditKinds.credit:
      return { type: 'credit', bytes: body.varint() };
    case creditKinds.pause: {
      const head = body.varint();
      return { type: 'pause', lane: laneOf(head), ms: Math.floor(head / 4) };
    }
    case creditKinds.open:
      return { type: 'open' };
    default:
      throw new ProtocolError('value', `kind ${kind} of CREDIT is not spoken here`);
  }
}

function chunk(body: ByteReader): ChunkMessage {
  const kind = body.byte();
  switch (kind) {
    case chunkKinds.want:
      return {
        type: 'want',
        id: body.varint(),
        sha256: body.bytes(32),
        offset: body.varint(),
        length: atLeastOne(body.varint(maxWantBytes), 'WANT'),
      };
    case chunkKinds.data: {
      const id = body.varint();
      const bytes = body.rest();
      if (bytes.length === 0 || bytes.length > chunkBytes) {
        throw new ProtocolError('chunk', `DATA of ${bytes.length} bytes`, { expected: `1 to ${chunkBytes}` });
      }
      return { type: 'data', id, bytes };
    }
    case chunkKinds.took:
      return { type: 'took', bytes: atLeastOne(body.varint(), 'TOOK') };
    case chunkKinds.refused:
      return { type: 'want-refused', id: body.varint(), code: named(wantRefusals, body.byte(), 'code of REFUSED') };
    case chunkKinds.cancelled:
      return { type: 'want-cancelled', id: body.varint() };
    default:
      throw new ProtocolError('value', `kind ${kind} of CHUNK is not spoken here`);
  }
}

function laneOf(head: number): Lane {
  return (head % 4) as Lane;
}

function atLeastOne(count: number, what: string): number {
  if (count < 1) throw new ProtocolError('value', `${what} of nothing`);
  return count;
}

function named<Name extends string>(table: Record<Name, number>, seen: number, what: string): Name {
  for (const name in table) if (table[name] === seen) return name;
  throw new ProtocolError('value', `${what} is ${seen}`, { expected: Object.values(table).join(', ') });
}
