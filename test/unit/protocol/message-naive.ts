/**
 * The messages of docs/protocol.md again, without a line of ours: a table of fields read from a list of bytes, slowly
 * and without a bound. Reads what is well-formed.
 */
import { inflateRawSync } from 'node:zlib';

type Value = unknown;

/** What is left of a body. */
interface Rest {
  bytes: number[];
}

const take = (rest: Rest, count: number): number[] => {
  if (rest.bytes.length < count) throw new Error('short');
  return rest.bytes.splice(0, count);
};

const u8 = (rest: Rest): number => take(rest, 1)[0]!;
const u64 = (rest: Rest): bigint => take(rest, 8).reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
const varint = (rest: Rest): number => {
  const groups: number[] = [];
  do groups.push(u8(rest));
  while (groups.at(-1)! >= 128);
  return Number(groups.reduceRight((sum, byte) => sum * 128n + BigInt(byte % 128), 0n));
};
const bytes =
  (count: number) =>
  (rest: Rest): Uint8Array =>
    Uint8Array.from(take(rest, count));
const toEnd = (rest: Rest): Uint8Array => Uint8Array.from(take(rest, rest.bytes.length));
const utf8 = (of: Uint8Array): string => Buffer.from(of).toString('utf8');
const text = (rest: Rest): string => utf8(bytes(varint(rest))(rest));
const textToEnd = (rest: Rest): string => utf8(toEnd(rest));
const lanes = (rest: Rest): number[] => [varint(rest), varint(rest), varint(rest), varint(rest)];
const extensions = (rest: Rest): Value[] => {
  const list: Value[] = [];
  while (rest.bytes.length > 0) list.push({ tag: varint(rest), value: bytes(varint(rest))(rest) });
  return list;
};
/** The name that stands at the number's place; `from`: the number of the first. */
const named =
  (names: string, read: (rest: Rest) => number = u8, from = 0) =>
  (rest: Rest): string =>
    names.split(' ')[read(rest) - from] ?? 'unknown';
/** A number above a lane of two bits. */
const withLane =
  (name: string) =>
  (rest: Rest): Value => {
    const both = BigInt(varint(rest));
    return { lane: Number(both % 4n), [name]: Number(both / 4n) };
  };

type Field = [name: string, read: (rest: Rest) => Value];
/** A field without a name spreads what it gives. */
type Layout = { type: string; fields: Field[] };

const farewell: Field[] = [
  [
    'code',
    named(
      'other unsupported-protocol unknown-device quarantined revoked expired superseded instance-mismatch overloaded ' +
        'shutting-down protocol-error timeout closed unsupported-agent replaced not-admitted',
      varint,
    ),
  ],
  ['retryAfterMs', varint],
  ['detail', textToEnd],
];

const layouts: Record<number, Layout> = {
  1: {
    type: 'hello',
    fields: [
      ['minVersion', varint],
      ['maxVersion', varint],
      ['features', varint],
      ['instanceId', u64],
      ['knownCoordinatorInstanceId', u64],
      ['keepaliveMs', varint],
      ['nextSeq', lanes],
      ['requestCursor', lanes],
      ['agentVersion', text],
      ['extensions', extensions],
    ],
  },
  2: {
    type: 'welcome',
    fields: [
      ['version', varint],
      ['features', varint],
      [
        '',
        (rest) => {
          const byte = u8(rest);
          const standing = ['accepted', 'pending', 'quarantined'][byte % 128];
          return { standing, coordinatorInstanceId: byte < 128 ? u64(rest) : 'known' };
        },
      ],
      ['sessionId', varint],
      ['eventCursor', lanes],
      ['keepaliveMs', varint],
      ['creditBytes', varint],
      ['maxFrameBytes', varint],
      ['serverTimeMs', varint],
      ['extensions', extensions],
    ],
  },
  3: { type: 'reject', fields: farewell },
  4: { type: 'event', fields: [['body', toEnd]] },
  5: { type: 'batch', fields: [['body', toEnd]] },
  6: {
    type: 'ack',
    fields: [['', (rest) => (rest.bytes.length === 0 ? { lane: 0, count: 1 } : withLane('count')(rest))]],
  },
  7: {
    type: 'nack',
    fields: [
      ['', withLane('ahead')],
      ['class', named('retry need-schema reject too-large forbidden', u8, 1)],
      ['code', varint],
      ['retryAfterMs', varint],
      ['detail', textToEnd],
    ],
  },
  8: { type: 'ping', fields: [['keepaliveMs', (rest) => (rest.bytes.length === 0 ? 0 : varint(rest))]] },
  9: { type: 'pong', fields: [] },
  11: {
    type: 'gap',
    fields: [
      ['', withLane('skipped')],
      ['reason', (rest) => u8(rest)],
    ],
  },
  14: { type: 'goaway', fields: farewell },
};

/** Types whose first byte is a kind. */
const kinds: Record<number, Record<number, Layout>> = {
  10: {
    16: {
      type: 'define',
      fields: [
        ['fingerprint', u64],
        ['', (rest) => (varint(rest), {})],
        ['text', (rest) => inflateRawSync(toEnd(rest)).toString('utf8')],
      ],
    },
  },
  12: {
    0: { type: 'credit', fields: [['bytes', varint]] },
    1: { type: 'pause', fields: [['', withLane('ms')]] },
    2: { type: 'open', fields: [] },
  },
  13: {
    0: {
      type: 'want',
      fields: [
        ['id', varint],
        ['sha256', bytes(32)],
        ['offset', varint],
        ['length', varint],
      ],
    },
    1: {
      type: 'data',
      fields: [
        ['id', varint],
        ['bytes', toEnd],
      ],
    },
    2: { type: 'took', fields: [['bytes', varint]] },
    3: {
      type: 'want-refused',
      fields: [
        ['id', varint],
        ['code', named('not-granted not-found out-of-range failed', u8, 1)],
      ],
    },
    4: { type: 'want-cancelled', fields: [['id', varint]] },
  },
};

/** One whole frame; the reason of a GAP stays a number. */
export function naiveMessage(frame: Uint8Array): Record<string, unknown> {
  const rest: Rest = { bytes: [...frame] };
  const first = u8(rest);
  const form = first % 16;
  const wide = [0, 1, 2, 4][Math.max(0, form - 12)]!;
  const number = take(rest, wide).reduce((sum, byte) => sum * 256 + byte, 0);
  const length = form < 13 ? form : form === 13 ? number + 13 : number;
  if (rest.bytes.length !== length) throw new Error(`${rest.bytes.length} bytes, the header says ${length}`);
  const type = Math.floor(first / 16);
  const layout = layouts[type] ?? kinds[type]![u8(rest)]!;
  const message: Record<string, unknown> = { type: layout.type };
  for (const [name, read] of layout.fields) Object.assign(message, name === '' ? read(rest) : { [name]: read(rest) });
  if (rest.bytes.length > 0) throw new Error('trailing');
  return message;
}
