import { describe, expect, it } from 'vitest';
import type { Row } from '../../../src/protocol/lane.ts';
import type { RowDecoder } from '../../../src/protocol/row-decoder.ts';
import type { RowEncoder } from '../../../src/protocol/row-encoder.ts';
import { CoordinatorSession } from '../../../src/session/coordinator-session.ts';
import { DeviceSession } from '../../../src/session/device-session.ts';

const option = { keepaliveMs: 240_000, answerTimeoutMs: 20_000, helloTimeoutMs: 10_000 };
const row = (n: number): Row => ({
  type: 'reading',
  key: 'a-meter-with-a-long-name',
  timestampMs: n * 1_000,
  schema: 0n,
  payload: Buffer.from(`reading ${n}`),
});

/** A session from HELLO on, with what the one before has left on either side. */
function session(firstSeq: number, kept: { warm?: RowEncoder } = {}, reader?: RowDecoder) {
  const device = new DeviceSession(
    {
      instanceId: 5n,
      knownCoordinatorInstanceId: 0n,
      nextSeq: [1, 1, 1, firstSeq],
      requestCursor: [0, 0, 0, 0],
      agentVersion: '1.0.0',
      newInstance: false,
    },
    { ...option, ...kept },
    0,
  );
  const coordinator = new CoordinatorSession(option, 0);
  coordinator.receive(device.flush(0, 16_384)!, 0);
  coordinator.admit({
    coordinatorInstanceId: 7n,
    sessionId: 1,
    eventCursor: [0, 0, 0, firstSeq - 1],
    serverTimeMs: 1,
    ...(reader === undefined ? {} : { warm: reader }),
  });
  device.receive(coordinator.flush(0, 16_384)!, 0);
  let seq = firstSeq;
  return {
    device,
    coordinator,
    /** Sends one row; returns the frame's size and what arrived. */
    send(isLost = false): { bytes: number; rows: string[] } {
      device.enqueue(3, seq, [row(seq)]);
      seq += 1;
      const bytes = device.flush(0, 16_384)!;
      const effects = isLost ? [] : coordinator.receive(bytes, 0);
      const rows = effects.flatMap((effect) => (effect.kind === 'rows' ? effect.rows : []));
      return { bytes: bytes.length, rows: rows.map(({ payload }) => Buffer.from(payload).toString()) };
    },
  };
}

describe('the state of rows over a reconnect', () => {
  it('goes on where it stood when both ends have kept it', () => {
    const first = session(1);
    const sizes = [first.send(), first.send(), first.send()].map(({ bytes }) => bytes);
    const again = session(4, { warm: first.device.writer! }, first.coordinator.reader);
    const { bytes, rows } = again.send();
    expect(rows).toEqual(['reading 4']);
    expect(bytes).toBeLessThan(sizes[0]! - 24);
  });

  it.each([
    ['the gateway has forgotten', (one: ReturnType<typeof session>) => [one.device.writer, undefined] as const],
    ['the device has forgotten', (one: ReturnType<typeof session>) => [undefined, one.coordinator.reader] as const],
    [
      'a frame was lost on the way',
      (one: ReturnType<typeof session>) => {
        one.send(true);
        return [one.device.writer, one.coordinator.reader] as const;
      },
    ],
  ])('starts cold when %s', (_, left) => {
    const first = session(1);
    const coldBytes = first.send().bytes;
    const [writer, reader] = left(first);
    const again = session(2, writer === undefined ? {} : { warm: writer }, reader);
    const { bytes, rows } = again.send();
    expect(rows).toEqual(['reading 2']);
    expect(Math.abs(bytes - coldBytes)).toBeLessThan(3);
  });

  it('is not taken from a device that lies about it', () => {
    const first = session(1);
    first.send();
    const other = session(1);
    other.send();
    other.send();
    const again = session(2, { warm: other.device.writer! }, first.coordinator.reader);
    expect(again.send().rows).toEqual(['reading 2']);
  });
});
