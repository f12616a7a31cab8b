import { describe, expect, it } from 'vitest';
import { GatewayConnection, type ConnectionOwner } from '../../../src/coordinator/gateway/gateway-connection.ts';
import type { ByteStream, StreamReceiver } from '../../../src/transport/byte-stream.ts';

/** A network that takes nothing until it is told to. */
class StuckStream implements ByteStream {
  readonly address = '192.0.2.1:4000';
  readonly traffic = { receivedBytes: 0, sentBytes: 0 };
  bufferedBytes = 0;
  paused = false;
  receiver: StreamReceiver | undefined;
  attach(receiver: StreamReceiver): void {
    this.receiver = receiver;
  }
  write(bytes: Uint8Array): void {
    this.bufferedBytes += bytes.length;
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  end(): void {}
  destroy(): void {}
}

const owner: ConnectionOwner = {
  effect: () => undefined,
  dirty: () => undefined,
  gone: () => undefined,
  probed: () => undefined,
  broken(_, error) {
    throw error;
  },
  monotonicMs: () => 0,
};

function stuck(over: Partial<ConnectionOwner> = {}): {
  stream: StuckStream;
  connection: GatewayConnection;
  fill(): void;
  drain(): void;
} {
  const stream = new StuckStream();
  const identity = {
    fleetId: 'f',
    deviceId: 'd',
    authority: 'issuing-1',
    serialHex: '01',
    fingerprintSha256Hex: '',
    notBeforeMs: 0,
    notAfterMs: 1,
  };
  const session = { keepaliveMs: 1_000, answerTimeoutMs: 1_000, helloTimeoutMs: 1_000 };
  const option = { id: 1, identity, resumed: false, session, blobDirectory: '', maxQueuedBytes: 1 };
  const connection = new GatewayConnection(stream, option, { ...owner, ...over });
  return {
    stream,
    connection,
    fill() {
      stream.bufferedBytes = 65_536;
      connection.flush();
    },
    drain() {
      stream.bufferedBytes = 0;
      stream.receiver!.onDrain();
    },
  };
}

describe('a connection of a gateway', () => {
  it('is not read while its peer does not read, and again when it does', () => {
    const { stream, fill, drain } = stuck();
    fill();
    expect(stream.paused).toBe(true);
    drain();
    expect(stream.paused).toBe(false);
  });

  it('is not read while the gateway rests, though its peer has read', () => {
    const { stream, connection, fill, drain } = stuck();
    fill();
    connection.hold(true);
    drain();
    expect(stream.paused).toBe(true);
    connection.hold(false);
    expect(stream.paused).toBe(false);
  });

  it('is not read while its peer does not read, though the gateway goes on', () => {
    const { stream, connection, fill, drain } = stuck();
    connection.hold(true);
    fill();
    connection.hold(false);
    expect(stream.paused).toBe(true);
    drain();
    expect(stream.paused).toBe(false);
  });

  it('lets others go before an acknowledgement of lane 0, and not before one that gives back room', () => {
    const asked: boolean[] = [];
    const { connection } = stuck({ dirty: (_, yields = false) => void asked.push(yields) });
    connection.acknowledge(0, 0);
    connection.acknowledge(1, 0);
    connection.pause(1, 10);
    expect(asked).toEqual([true, false, false]);
  });
});
