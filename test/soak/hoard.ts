import { Buffer } from 'node:buffer';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Row } from '../../src/protocol/lane.ts';
import { RowDecoder } from '../../src/protocol/row-decoder.ts';
import { RowEncoder } from '../../src/protocol/row-encoder.ts';
import { readSchema, type SchemaCatalogue } from '../../src/protocol/schema-catalogue.ts';
import type { Dice } from './dice.ts';

/** What one direction of a connection may make its reader hold, whatever comes: docs/protocol-columns.md, section 1. */
export const maxHeldBytes = 8 * 1024 * 1024;

export interface Hoard {
  sentBytes: number;
  heldBytes: number;
}

const kinds = ['string', 'long', 'double', 'bytes'] as const;
type Kind = (typeof kinds)[number];

/** As many schemas as a direction takes, as wide as they may be; of strings first, then of a kind each. */
const wide = Array.from({ length: 16 }, (_, n) => {
  const kind: Kind = n < 13 ? 'string' : kinds[n - 12]!;
  const fields = Array.from({ length: 64 }, (__, slot) => ({ name: `f${slot}`, type: kind }));
  return { fingerprint: BigInt(n + 1), kind, avro: { type: 'record', name: `Wide${n}`, fields } };
});

/**
 * Feeds a reader what no reader can forget: the widest schemas, the longest names, values that never come again, as
 * batches and as single rows. What it holds is what a collection frees when the reader is let go.
 */
export async function hoard(dice: Dice): Promise<Hoard> {
  const catalogue: SchemaCatalogue = new Map(
    wide.map(({ fingerprint, avro }) => [fingerprint, readSchema(JSON.stringify(avro))]),
  );
  const encoder = new RowEncoder(catalogue);
  const kept = [new RowDecoder(catalogue)];
  let sentBytes = 0;
  for (const { fingerprint, kind } of wide) {
    for (let stream = 0; stream < 64; stream += 1) {
      const one: Row = {
        type: `${'t'.repeat(124)}${fingerprint}`,
        key: `${'k'.repeat(250)}${stream}`,
        schema: fingerprint,
        timestampMs: stream,
        payload: Buffer.concat(Array.from({ length: 64 }, () => field(kind, dice))),
      };
      // Twice, so that columns are the smaller.
      const rows = dice.below(2) === 0 ? [[one, one]] : [[one], [one]];
      for (const frame of rows) {
        const message = encoder.encode(3, frame);
        sentBytes += message.body.length;
        kept[0]!.decode(message);
      }
    }
  }
  const before = await heldBytes();
  kept.length = 0;
  return { sentBytes, heldBytes: before - (await heldBytes()) };
}

/** One field as Avro writes it. */
function field(kind: Kind, dice: Dice): Buffer {
  switch (kind) {
    case 'string': {
      const text = Buffer.from(String(dice.below(2 ** 50)).padStart(250, 'x'));
      return Buffer.concat([Buffer.of(0xf4, 3), text]); // its length, 250
    }
    case 'bytes':
      return Buffer.concat([Buffer.of(8), dice.bytes(4)]);
    case 'double': {
      const bytes = Buffer.alloc(8);
      bytes.writeDoubleLE(dice.below(2 ** 40) / 3);
      return bytes;
    }
    case 'long': // of nine groups: no exact double
      return Buffer.from([...dice.bytes(8), 1].map((byte, n) => (n < 8 ? byte | 0x80 : byte)));
  }
}

export function hoardVerdict({ heldBytes: held }: Hoard): string[] {
  return held <= maxHeldBytes
    ? []
    : [`a reader of the widest schemas held ${held} bytes, expected at most ${maxHeldBytes}`];
}

async function heldBytes(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let n = 0; n < 3; n += 1) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 10)); // zlib and typed arrays let go in a later turn
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
