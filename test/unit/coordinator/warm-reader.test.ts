import { describe, expect, it } from 'vitest';
import { WarmReaders } from '../../../src/coordinator/gateway/warm-reader.ts';
import { RowDecoder } from '../../../src/protocol/row-decoder.ts';
import { RowEncoder } from '../../../src/protocol/row-encoder.ts';
import { noSchemas } from '../../../src/protocol/schema-catalogue.ts';

/** A reader that has seen so many streams. */
function readerOf(streams: number): RowDecoder {
  const [encoder, reader] = [new RowEncoder(noSchemas), new RowDecoder(noSchemas)];
  for (let n = 0; n < streams; n += 1) {
    const row = { type: 't', key: `meter ${n}`, timestampMs: n, schema: 0n, payload: new Uint8Array(1) };
    reader.decode(encoder.encode(3, [row]));
  }
  return reader;
}

const connection = (deviceId: string, instanceId: bigint, reader?: RowDecoder) => ({
  identity: { deviceId },
  session: { instanceId, reader },
});

describe('readers of devices that are away', () => {
  it('come back once, for the same instance', () => {
    const warm = new WarmReaders();
    const reader = readerOf(1);
    warm.keep(connection('a', 1n, reader));
    expect(warm.take(connection('b', 1n))).toEqual({});
    expect(warm.take(connection('a', 1n))).toEqual({ warm: reader });
    expect(warm.take(connection('a', 1n))).toEqual({});
    warm.keep(connection('a', 1n, reader));
    expect(warm.take(connection('a', 2n))).toEqual({});
    expect(warm.heldBytes).toBe(0);
  });

  it('are one for each device, whatever instances it takes', () => {
    const warm = new WarmReaders();
    for (let instance = 1n; instance <= 50n; instance += 1n) warm.keep(connection('a', instance, readerOf(10)));
    expect(warm.heldBytes).toBe(readerOf(10).heldBytes);
  });

  it('have so many bytes together: the first that left goes first, and a large one drives out many', () => {
    const small = readerOf(1).heldBytes;
    const warm = new WarmReaders(small * 10);
    for (let n = 0; n < 10; n += 1) warm.keep(connection(`d${n}`, 1n, readerOf(1)));
    expect(warm.heldBytes).toBe(small * 10);
    warm.keep(connection('large', 1n, readerOf(40)));
    expect(warm.heldBytes).toBeLessThanOrEqual(small * 10);
    expect(warm.take(connection('d0', 1n))).toEqual({});
    expect(warm.take(connection('large', 1n)).warm).toBeDefined();
    warm.keep(connection('too large', 1n, readerOf(1_000)));
    expect(warm.heldBytes).toBe(0);
  });
});
