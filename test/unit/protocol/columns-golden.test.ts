import { describe, expect, it } from 'vitest';
import {
  BatchDecoder,
  BatchEncoder,
  EventDecoder,
  EventEncoder,
  LinkState,
  columnSchema,
} from '../../../src/protocol/columns/index.ts';
import type { Row } from '../../../src/protocol/lane.ts';
import { avroType } from './columns-arbitrary.ts';

/** Hex with comments: what follows a # to the end of its line is for the reader. */
function golden(text: string): string {
  return text.replaceAll(/#.*$/gm, '').replaceAll(/\s+/g, '');
}

const avro = {
  type: 'record',
  name: 'R',
  fields: [
    { name: 'count', type: 'int' },
    { name: 'volts', type: 'float' },
    { name: 'note', type: ['null', 'string'] },
  ],
};
const columns = columnSchema(avro);
const type = avroType(avro);
const volts = [230.1, 230.3, 229.9, 230.4];

/** Rows from the `from`-th on, a second apart; `count` is always 7. */
function rows(from: number, notes: (string | null)[]): Row[] {
  return notes.map((note, i) => ({
    type: 'm',
    key: 'a1',
    schema: 0x1122334455667788n,
    timestampMs: 1_000_000 + (from + i) * 1000,
    payload: type.toBuffer({ count: 7, volts: Math.fround(volts[(from + i) % 4]!), note }),
  }));
}

const definition = `
  01                        # one definition:
    00 01 6d                #   in full: type "m"
    00 02 61 31             #   key "a1", nothing shared
    11 22 33 44 55 66 77 88 #   schema
`;

const cold = `
  00                        # slots as expected: the first, then the same, because there is no other
  2a e8 07                  # times: runs of differences, divided by 1000:
    02 d0 0f 00 02          #   two runs: 1000 once, 1 to the end; 1,000,000 ms and then steps of 1000
  01                        # a group in columns
    01 0e                   #   count: 7 throughout
    44 01                   #   volts: Rice of values in a new domain: tenths;
      41 fe 23              #     k 1 around 2303
      e5 06                 #     -2 0 -4 1: folded 3 0 7 2 = 10.1 0.0 1110.1 10.0
    0c 00 26                #   note there?: Rice of differences, k 0: 0 1 0 -1
    01                      #   note: one new string:
      09 04 00 6f 6b        #     length 2, as it is: "ok"
    08                      #     numbers: all the same as before, 0
`;

const warmEvent = `
  06                        # lane 2; the expected stream; time: 6 bits of length 1 - 1 …
  0c                        # … one bit 0: as expected; columns; domains as before; count: 6 bits 0 …
  10                        # … one bit 0; volts: length 3 …
  1a                        # … 5 = fold(-3): 2301 after 2304; a note is there; its number: 6 bits 0 …
  00                        # … one bit 0: the string as before; zero bits
`;

const bytes = [
  `03 04                    # lane 3, no range coder; 4 rows
  ${definition}
  ${cold}`,
  `03 04 00                 # no definitions
  00                        # slots as expected
  10                        # times go on along their slope
  01 08                     # columns; count as before
  04 41 fe 23 e5 06         # volts: Rice in the same domain
  01 02                     # note there?: 1 throughout
  00 08                     # no new string; the same number`,
  warmEvent,
];

describe('golden bytes of the column codec', () => {
  it.each(['pack', 'range'] as const)('hold for a cold batch, a warm batch and an event (%s)', (packing) => {
    const [sender, receiver] = [new LinkState(() => columns), new LinkState(() => columns)];
    const encoder = new BatchEncoder(sender, packing);
    const decoder = new BatchDecoder(receiver);
    const sendings = [rows(0, [null, 'ok', 'ok', null]), rows(4, ['ok', 'ok', 'ok', 'ok'])];
    sendings.forEach((sending, n) => {
      const body = Buffer.from(golden(bytes[n]!), 'hex');
      expect(Buffer.from(encoder.encode(3, sending)).toString('hex')).toBe(body.toString('hex'));
      expect(decoder.decode(body)).toEqual({ lane: 3, rows: sending });
    });
    const [row] = rows(8, ['ok']);
    const body = Buffer.from(golden(bytes[2]!), 'hex');
    expect(Buffer.from(new EventEncoder(sender).encode(2, row!)).toString('hex')).toBe(body.toString('hex'));
    expect(new EventDecoder(receiver).decode(body)).toEqual({ lane: 2, row });
  });

  it('hold for a column in the range coder, cold and warm', () => {
    const state = (): LinkState => new LinkState(() => columnSchema({ ...avro, fields: [avro.fields[0]] }));
    const encoder = new BatchEncoder(state(), 'range');
    const decoder = new BatchDecoder(state());
    const sending = [1, 0, 0, 0].map((count): Row => ({
      type: 'm',
      key: 'a1',
      schema: 7n,
      timestampMs: 0,
      payload: Buffer.of(2 * count),
    }));
    const bodies = [
      `07 04 02                # lane 3, range coder of 2 bytes; 4 rows
      01 00 01 6d 00 02 61 31 00 00 00 00 00 00 00 07 # the definition
      00 08                   # slots as expected; times as before: 0
      01 05                   # columns; count: values in the range coder
      fb fc                   # 1 0 0 0 with fresh probabilities`,
      `07 04 01 00             # range coder of 1 byte; nothing new
      00 08
      01 05
      6f                      # 1 0 0 0, which are likelier now`,
    ];
    for (const text of bodies) {
      const body = Buffer.from(golden(text), 'hex');
      expect(Buffer.from(encoder.encode(3, sending)).toString('hex')).toBe(body.toString('hex'));
      expect(decoder.decode(body)).toEqual({ lane: 3, rows: sending });
    }
  });

  it('hold for a key of hex digits', () => {
    const row: Row = { type: 't', key: '0a1b2c3d', schema: 0n, timestampMs: 5, payload: Buffer.from([9]) };
    const body = golden(`
      08                      # lane 0; not the expected stream; new; zero bits
      03 01 74 00 04 0a 1b 2c 3d # its definition: JSON, type "t", nothing shared, 8 hex digits
      83 02                   # time: length 4 (6 bits 3), 10 = fold(5); no columns
      09                      # the payload
    `);
    const state = (): LinkState => new LinkState(() => undefined);
    expect(Buffer.from(new EventEncoder(state()).encode(0, row)).toString('hex')).toBe(body);
    expect(new EventDecoder(state()).decode(Buffer.from(body, 'hex'))).toEqual({ lane: 0, row });
    // Too few digits, an odd number, capitals: as they are.
    for (const key of ['0a', '0a1b2', '0A1B', 'meter']) {
      const encoded = new EventEncoder(state()).encode(0, { ...row, key });
      expect(Buffer.from(encoded).includes(Buffer.from(key))).toBe(true);
      expect(new EventDecoder(state()).decode(encoded).row.key).toBe(key);
    }
  });

  it('hold for JSON rows of two streams and a single event', () => {
    const json = (key: string, timestampMs: number, byte: number): Row => ({
      type: 't',
      key,
      schema: 0n,
      timestampMs,
      payload: Buffer.from([byte]),
    });
    const [sender, receiver] = [new LinkState(() => undefined), new LinkState(() => undefined)];
    const batch = [json('k1', 5, 1), json('k2', 5, 2)];
    const body = golden(`
      00 02                   # lane 0, 2 rows
      02                      # two definitions:
        01 01 74 00 02 6b 31  #   of JSON: type "t", key "k1"
        81 32                 #   the same with a key as long: "k" and "2"
      00                      # slots as expected: 0, 1
      01 0a                   # times: 5 throughout
      00                      # a group as it is:
        01 02                 #   lengths: 1 throughout
        00 01 02              #   the bytes themselves
    `);
    expect(Buffer.from(new BatchEncoder(sender).encode(0, batch)).toString('hex')).toBe(body);
    expect(new BatchDecoder(receiver).decode(Buffer.from(body, 'hex'))).toEqual({ lane: 0, rows: batch });
    const events: [Row, string][] = [
      [
        json('k1', 5, 9),
        `00 00 00 # lane 0; slot 1 was expected; not new; 10 bits slot 0; time: length 1, 0; no columns
         09       # the payload`,
      ],
      [
        json('k22', 6, 9),
        `08       # lane 0; not the expected stream; new; zero bits
         41 02 32 # its definition: 2 bytes shared, one more: "2"
         81 00    # time: length 2 (6 bits 1), 2 = fold(1); no columns
         09       # the payload`,
      ],
    ];
    const encoder = new EventEncoder(sender);
    const decoder = new EventDecoder(receiver);
    for (const [row, text] of events) {
      const encoded = encoder.encode(0, row);
      expect(Buffer.from(encoded).toString('hex')).toBe(golden(text));
      expect(decoder.decode(encoded)).toEqual({ lane: 0, row });
    }
  });
});
