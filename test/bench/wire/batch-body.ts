import { deflateRawSync } from 'node:zlib';
import type { WireEvent } from './event-set.ts';

/** How a broker's client writes events: a message for each, all in one, or all in one and compressed. */
export const brokerWays = ['each', 'rows', 'rowsDeflated'] as const;

export interface BrokerMessage {
  /** Parts of the topic or subject. */
  topic: string[];
  body: Buffer;
}

const schemaVersion = 1;

/** Everything that Flotilla carries is in here too: type, key, schema version, offset, time. */
export function brokerMessages(way: string, events: WireEvent[], firstOffset: number): BrokerMessage[] {
  const first = events[0]!;
  if (way === 'each') {
    return events.map((event, n) => {
      // A reading's struct holds id and time; of other events the topic names the key.
      const whole = event.body === event.packed;
      return {
        topic: whole ? [event.type] : [event.type, event.key],
        body: Buffer.concat([prefix(firstOffset + n, whole ? undefined : event.tsMs), event.body]),
      };
    });
  }
  const rows = Buffer.concat([prefix(firstOffset), ...events.map(({ packed }) => packed)]);
  return [{ topic: [first.type], body: way === 'rows' ? rows : deflateRawSync(rows, { level: 9 }) }];
}

/** version u8, offset u32, perhaps tsMs u64. */
function prefix(offset: number, tsMs?: number): Buffer {
  const bytes = Buffer.alloc(tsMs === undefined ? 5 : 13);
  bytes.writeUInt8(schemaVersion, 0);
  bytes.writeUInt32LE(offset, 1);
  if (tsMs !== undefined) bytes.writeBigUInt64LE(BigInt(tsMs), 5);
  return bytes;
}
