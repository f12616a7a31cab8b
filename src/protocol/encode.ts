/** Message to frame. Each layout stands above its function; the reading side in decode.ts has the same order. */
import { Buffer } from 'node:buffer';
import { deflateRawSync } from 'node:zlib';
import { ByteWriter } from './byte-writer.ts';
import { FrameType, writeFrame } from './frame.ts';
import {
  closeCodes,
  gapReasons,
  nackClasses,
  standings,
  wantRefusals,
  type Ack,
  type ChunkMessage,
  type CreditMessage,
  type Define,
  type Extension,
  type Farewell,
  type Gap,
  type Hello,
  type Message,
  type Nack,
  type RowMessage,
  type Welcome,
} from './message.ts';

/** Kinds of DEFINE, CHUNK and CREDIT: the first byte of their bodies. */
export const defineKinds = { schema: 16 } as const;
export const chunkKinds = { want: 0, data: 1, took: 2, refused: 3, cancelled: 4 } as const;
/** Of the standing in WELCOME. */
export const knownBit = 0x80;
export const creditKinds = { credit: 0, pause: 1, open: 2 } as const;

/** A body stands here until its length is known. */
const scratch = new ByteWriter(512);

/** Appends the frame of `message` to `writer`. */
export function writeMessage(writer: ByteWriter, message: Message): void {
  if (isRows(message)) {
    writeFrame(writer, message.type === 'event' ? FrameType.event : FrameType.batch, message.body);
    return;
  }
  scratch.clear();
  const type = writeBody(scratch, message);
  writeFrame(writer, type, scratch.view());
}

/** One message as a frame of its own; for handshakes and tests. */
export function encodeMessage(message: Message): Uint8Array {
  const writer = new ByteWriter();
  writeMessage(writer, message);
  return writer.take();
}

function isRows(message: Message): message is RowMessage {
  return message.type === 'event' || message.type === 'batch';
}

function writeBody(body: ByteWriter, message: Exclude<Message, RowMessage>): FrameType {
  switch (message.type) {
    case 'hello':
      hello(body, message);
      return FrameType.hello;
    case 'welcome':
      welcome(body, message);
      return FrameType.welcome;
    case 'reject':
    case 'goaway':
      farewell(body, message);
      return message.type === 'reject' ? FrameType.reject : FrameType.goaway;
    case 'ack':
      ack(body, message);
      return FrameType.ack;
    case 'nack':
      nack(body, message);
      return FrameType.nack;
    case 'ping':
      // nothing, or varint keepaliveMs
      if (message.keepaliveMs !== 0) body.varint(message.keepaliveMs);
      return FrameType.ping;
    case 'pong':
      return FrameType.pong;
    case 'define':
      define(body, message);
      return FrameType.define;
    case 'gap':
      gap(body, message);
      return FrameType.gap;
    case 'credit':
    case 'pause':
    case 'open':
      credit(body, message);
      return FrameType.credit;
    default:
      chunk(body, message);
      return FrameType.chunk;
  }
}

// varint minVersion · varint maxVersion · varint features · u64 instanceId · u64 knownCoordinatorInstanceId ·
// varint keepaliveMs · 4 × varint nextSeq · 4 × varint requestCursor · text agentVersion · extensions
function hello(body: ByteWriter, message: Hello): void {
  body.varint(message.minVersion);
  body.varint(message.maxVersion);
  body.varint(message.features);
  body.uint64(message.instanceId);
  body.uint64(message.knownCoordinatorInstanceId);
  body.varint(message.keepaliveMs);
  for (const seq of message.nextSeq) body.varint(seq);
  for (const seq of message.requestCursor) body.varint(seq);
  body.text(message.agentVersion);
  extensions(body, message.extensions);
}

// varint version · varint features · u8 standing | known << 7 · unless known: u64 coordinatorInstanceId · varint sessionId ·
// 4 × varint eventCursor · varint keepaliveMs · varint creditBytes · varint maxFrameBytes · varint serverTimeMs ·
// extensions
function welcome(body: ByteWriter, message: Welcome): void {
  body.varint(message.version);
  body.varint(message.features);
  const known = message.coordinatorInstanceId === 'known';
  body.byte(standings[message.standing] | (known ? knownBit : 0));
  if (message.coordinatorInstanceId !== 'known') body.uint64(message.coordinatorInstanceId);
  body.varint(message.sessionId);
  for (const seq of message.eventCursor) body.varint(seq);
  body.varint(message.keepaliveMs);
  body.varint(message.creditBytes);
  body.varint(message.maxFrameBytes);
  body.varint(message.serverTimeMs);
  extensions(body, message.extensions);
}

// to the end of the body: varint tag, rising · block value
function extensions(body: ByteWriter, list: Extension[]): void {
  for (const { tag, value } of list) {
    body.varint(tag);
    body.block(value);
  }
}

// varint code · varint retryAfterMs · detail to the end
function farewell(body: ByteWriter, message: Farewell): void {
  body.varint(closeCodes[message.code]);
  body.varint(message.retryAfterMs);
  body.bytes(Buffer.from(message.detail, 'utf8'));
}

// nothing: one more of lane 0; else varint count << 2 | lane
function ack(body: ByteWriter, message: Ack): void {
  if (message.lane !== 0 || message.count !== 1) body.varint(message.count * 4 + message.lane);
}

// varint ahead << 2 | lane · u8 class · varint code · varint retryAfterMs · detail to the end
function nack(body: ByteWriter, message: Nack): void {
  body.varint(message.ahead * 4 + message.lane);
  body.byte(nackClasses[message.class]);
  body.varint(message.code);
  body.varint(message.retryAfterMs);
  body.bytes(Buffer.from(message.detail, 'utf8'));
}

// u8 kind (16: a schema) · u64 fingerprint · varint bytes of the text · the text, raw deflate, to the end
function define(body: ByteWriter, message: Define): void {
  const text = Buffer.from(message.text, 'utf8');
  body.byte(defineKinds.schema);
  body.uint64(message.fingerprint);
  body.varint(text.length);
  body.bytes(deflateRawSync(text, { level: 9 }));
}

// varint skipped << 2 | lane · u8 reason
function gap(body: ByteWriter, message: Gap): void {
  body.varint(message.skipped * 4 + message.lane);
  body.byte(gapReasons[message.reason]);
}

// CREDIT u8 0 · varint bytes
// PAUSE  u8 1 · varint ms << 2 | lane
// OPEN   u8 2
function credit(body: ByteWriter, message: CreditMessage): void {
  body.byte(creditKinds[message.type]);
  if (message.type === 'credit') body.varint(message.bytes);
  else if (message.type === 'pause') body.varint(message.ms * 4 + message.lane);
}

// WANT      u8 0 · varint id · 32 bytes sha256 · varint offset · varint length     D→C
// DATA      u8 1 · varint id · bytes to the end                                   D←C
// TOOK      u8 2 · varint bytes                                                   D→C
// REFUSED   u8 3 · varint id · u8 code                                            D←C
// CANCELLED u8 4 · varint id                                                      D→C
function chunk(body: ByteWriter, message: ChunkMessage): void {
  switch (message.type) {
    case 'want':
      body.byte(chunkKinds.want);
      body.varint(message.id);
      body.bytes(message.sha256);
      body.varint(message.offset);
      body.varint(message.length);
      break;
    case 'data':
      body.byte(chunkKinds.data);
      body.varint(message.id);
      body.bytes(message.bytes);
      break;
    case 'took':
      body.byte(chunkKinds.took);
      body.varint(message.bytes);
      break;
    case 'want-refused':
      body.byte(chunkKinds.refused);
      body.varint(message.id);
      body.byte(wantRefusals[message.code]);
      break;
    case 'want-cancelled':
      body.byte(chunkKinds.cancelled);
      body.varint(message.id);
  }
}
