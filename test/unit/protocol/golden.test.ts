import { describe, expect, it } from 'vitest';
import { decodeMessage } from '../../../src/protocol/decode.ts';
import { encodeMessage } from '../../../src/protocol/encode.ts';
import { FrameDecoder } from '../../../src/protocol/frame.ts';
import type { Message } from '../../../src/protocol/message.ts';

/** Written by hand from docs/protocol.md; spaces part the fields. */
const golden: [what: string, hex: string, message: Message][] = [
  // type 8, no body
  ['PING', '80', { type: 'ping', keepaliveMs: 0 }],
  // 360,000 ms
  ['PING with a promise', '83 c0fc15', { type: 'ping', keepaliveMs: 360_000 }],
  // kind 0 · 65,536
  ['CREDIT', 'c4 00 808004', { type: 'credit', bytes: 65_536 }],
  // kind 1 · 2,000 << 2 | 3 = 8,003
  ['PAUSE', 'c3 01 c33e', { type: 'pause', lane: 3, ms: 2_000 }],
  ['OPEN', 'c1 02', { type: 'open' }],
  ['PONG', '90', { type: 'pong' }],
  // type 6: the empty body is one more of lane 0
  ['ACK of one on lane 0', '60', { type: 'ack', lane: 0, count: 1 }],
  // 1 << 2 | 3
  ['ACK of one on lane 3', '61 07', { type: 'ack', lane: 3, count: 1 }],
  // 100 << 2 | 1 = 401 = 0b11_0010001
  ['ACK of a hundred', '62 9103', { type: 'ack', lane: 1, count: 100 }],
  // stream 0 lane 2 · zigzag(-1) = 1 · payload
  ['EVENT', '45 02 01 616263', { type: 'event', lane: 2, stream: 0, timeStepMs: -1, payload: Buffer.from('abc') }],
  // L = 13: 13 + 0 bytes of body; stream 31 lane 3 = 127, one byte still
  [
    'EVENT of 13 bytes',
    `4d 00 7f 00 ${'aa'.repeat(11)}`,
    { type: 'event', lane: 3, stream: 31, timeStepMs: 0, payload: Buffer.alloc(11, 0xaa) },
  ],
  // L = 14: u16 269
  [
    'EVENT of 269 bytes',
    `4e 010d 00 00 ${'bb'.repeat(267)}`,
    { type: 'event', lane: 0, stream: 0, timeStepMs: 0, payload: Buffer.alloc(267, 0xbb) },
  ],
  // L = 15: u32 65,536
  [
    'EVENT of 64 KiB',
    `4f 00010000 00 00 ${'cc'.repeat(65_534)}`,
    { type: 'event', lane: 0, stream: 0, timeStepMs: 0, payload: Buffer.alloc(65_534, 0xcc) },
  ],
  // kind 0 (JSON) · 0 shared · block "t" · 0 shared · block ""
  [
    'DEFINE',
    'a6 00 00 0174 00 00',
    { type: 'define', typeShared: 0, typeRest: Buffer.from('t'), keyShared: 0, keyRest: Buffer.alloc(0), schema: 0n },
  ],
  // kind 1 (same schema) · all 1 of the type shared · key: 3 shared, then "9"
  [
    'DEFINE, front-coded',
    'a6 01 01 00 03 0139',
    {
      type: 'define',
      typeShared: 1,
      typeRest: Buffer.alloc(0),
      keyShared: 3,
      keyRest: Buffer.from('9'),
      schema: 'same',
    },
  ],
  // kind 2 · … · u64 schema
  [
    'DEFINE with a schema',
    'ad 01 02 00 0174 00 00 0000000000000102',
    {
      type: 'define',
      typeShared: 0,
      typeRest: Buffer.from('t'),
      keyShared: 0,
      keyRest: Buffer.alloc(0),
      schema: 0x102n,
    },
  ],
  // 9 skipped on lane 1 = 37 · reason 2
  ['GAP', 'b2 25 02', { type: 'gap', lane: 1, skipped: 9, reason: 'new-instance' }],
  // 2 ahead on lane 0 · class 3 · code 5 · retry 0 · "no"
  [
    'NACK',
    '76 08 03 05 00 6e6f',
    { type: 'nack', lane: 0, class: 'reject', ahead: 2, code: 5, retryAfterMs: 0, detail: 'no' },
  ],
  // code 8 · 300 ms · "busy"
  ['REJECT', '37 08 ac02 62757379', { type: 'reject', code: 'overloaded', retryAfterMs: 300, detail: 'busy' }],
  ['GOAWAY', 'e2 09 00', { type: 'goaway', code: 'shutting-down', retryAfterMs: 0, detail: '' }],
  // kind 0 · id 1 · sha · offset 300 · length 262,144
  [
    'CHUNK WANT',
    `dd 1a 00 01 ${'11'.repeat(32)} ac02 808010`,
    { type: 'want', id: 1, sha256: Buffer.alloc(32, 0x11), offset: 300, length: 262_144 },
  ],
  ['CHUNK DATA', 'd4 01 01 6869', { type: 'data', id: 1, bytes: Buffer.from('hi') }],
  ['CHUNK TOOK', 'd3 02 8020', { type: 'took', bytes: 4096 }],
  ['CHUNK REFUSED', 'd3 03 01 01', { type: 'want-refused', id: 1, code: 'not-granted' }],
  ['CHUNK CANCELLED', 'd2 04 01', { type: 'want-cancelled', id: 1 }],
  // versions 1 to 1 · features 0 · instance · coordinator · 240,000 ms · 4 × next 1 · 4 × cursor 0 · "1.0" · extension 5: 1 byte
  [
    'HELLO',
    '1d 18 01 01 00 0000000000000005 0000000000000000 80d30e 01010101 00000000 03312e30 05 01 ff',
    {
      type: 'hello',
      minVersion: 1,
      maxVersion: 1,
      features: 0,
      instanceId: 5n,
      knownCoordinatorInstanceId: 0n,
      keepaliveMs: 240_000,
      nextSeq: [1, 1, 1, 1],
      requestCursor: [0, 0, 0, 0],
      agentVersion: '1.0',
      extensions: [{ tag: 5, value: Uint8Array.of(0xff) }],
    },
  ],
  // version 1 · features 0 · quarantined · coordinator · session 7 · cursors · 240,000 ms · 64 KiB · 1 MiB · time 1
  [
    'WELCOME',
    '2d 0d 01 00 02 000000000000004d 07 00010203 80d30e 808004 808040 01',
    {
      type: 'welcome',
      version: 1,
      features: 0,
      standing: 'quarantined',
      coordinatorInstanceId: 77n,
      sessionId: 7,
      eventCursor: [0, 1, 2, 3],
      keepaliveMs: 240_000,
      creditBytes: 65_536,
      maxFrameBytes: 1_048_576,
      serverTimeMs: 1,
      extensions: [],
    },
  ],
];

describe('the wire, byte by byte', () => {
  it.each(golden)('%s', (_, hex, message) => {
    const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');
    expect(Buffer.from(encodeMessage(message)).toString('hex')).toBe(bytes.toString('hex'));
    const frames = [...new FrameDecoder().push(bytes)];
    expect(frames).toHaveLength(1);
    expect(plain(decodeMessage(frames[0]!))).toEqual(plain(message));
  });

  it('a code that a later version sends keeps its retry hint', () => {
    const [frame] = new FrameDecoder().push(Buffer.from('e363ac02', 'hex'));
    expect(decodeMessage(frame!)).toEqual({ type: 'goaway', code: 'other', retryAfterMs: 300, detail: '' });
  });
});

function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_, part: unknown) => {
      if (typeof part === 'bigint') return `${part}n`;
      return part instanceof Uint8Array ? Array.from(part) : part;
    }),
    (_, part: unknown) => (typeof part === 'object' && part !== null && 'data' in part ? part.data : part),
  );
}
