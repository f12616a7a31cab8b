/** A coordinator that was taken over: the real session over real TLS with a good certificate, and lies in its parts. */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Row } from '../../src/protocol/lane.ts';
import type { ChunkMessage } from '../../src/protocol/message.ts';
import { CoordinatorSession } from '../../src/session/coordinator-session.ts';
import type { Effect } from '../../src/session/effect.ts';
import type { ByteStream } from '../../src/transport/byte-stream.ts';
import { createTlsListener } from '../../src/transport/tls-listener.ts';
import type { Fleet } from './link-bench.ts';

export type Want = Extract<Effect, { kind: 'want' }>;

/** Says what a coordinator's session would not. */
export class LyingSession extends CoordinatorSession {
  /** Bytes of a part, however many and whatever was asked for. */
  feed(id: number, bytes: Uint8Array): void {
    this.say({ type: 'data', id, bytes });
  }

  /** It keeps no books of what it gives. */
  protected override onChunk(message: ChunkMessage): void {
    if (message.type !== 'want') return;
    const { type: kind, ...want } = message;
    this.effect({ kind, ...want });
  }
}

export interface HostileCoordinator extends AsyncDisposable {
  port: number;
  /** Sessions that were admitted. */
  sessions: number;
  /** Every event that a device has told. */
  rows: Row[];
  /** How the answers to WANT are given; `more` is called when the last ones have left. */
  answer: (want: Want, session: LyingSession) => void;
  more: (session: LyingSession) => void;
}

/** Small enough for any frame. */
export const chunkBytes = 4_096;

export function honestly(bytesOf: (want: Want) => Uint8Array): HostileCoordinator['answer'] {
  return (want, session) => {
    const bytes = bytesOf(want);
    for (let at = 0; at < bytes.length; at += chunkBytes) session.feed(want.id, bytes.subarray(at, at + chunkBytes));
  };
}

export async function hostileCoordinator(fleet: Fleet): Promise<HostileCoordinator> {
  const streams = new Set<ByteStream>();
  const onStream = (stream: ByteStream): void => {
    streams.add(stream);
    const session = new LyingSession(
      { keepaliveMs: 240_000, answerTimeoutMs: 20_000, helloTimeoutMs: 5_000 },
      performance.now(),
    );
    const flush = (): void => {
      for (;;) {
        const bytes = session.flush(performance.now(), 1 << 20);
        if (bytes === undefined) return;
        stream.write(bytes);
      }
    };
    const take = (effects: Effect[]): void => {
      for (const effect of effects) {
        if (effect.kind === 'hello') {
          hostile.sessions += 1;
          const eventCursor = [0, 0, 0, 0];
          const admission = { coordinatorInstanceId: 66n, sessionId: 1, eventCursor, serverTimeMs: Date.now() };
          take(session.admit(admission));
        } else if (effect.kind === 'rows') {
          hostile.rows.push(...effect.rows);
          session.acknowledge(effect.lane, effect.firstSeq + effect.rows.length - 1);
        } else if (effect.kind === 'want') hostile.answer(effect, session);
      }
      flush();
    };
    stream.attach({
      onBytes: (bytes) => take(session.receive(bytes, performance.now())),
      onDrain: () => {
        hostile.more(session);
        flush();
      },
      onClose: () => void streams.delete(stream),
    });
  };
  const [keyPem, certificatePem, authorityPem] = await Promise.all(
    [fleet.tls.keyFile, fleet.tls.certificateFile, fleet.tls.authorityFile].map((file) => readFile(file, 'utf8')),
  );
  const listener = createTlsListener({
    keyPem: keyPem!,
    certificatePem: certificatePem!,
    authorityPem: authorityPem!,
    ticketKeys: randomBytes(48),
    keyExchange: 'classic',
    maxConnections: 10,
    maxHandshakes: 10,
    handshakeTimeoutMs: 5_000,
    onStream,
    onRefused: () => undefined,
  });
  const hostile: HostileCoordinator = {
    port: await listener.listen({ host: '127.0.0.1', port: 0, reusePort: false }),
    sessions: 0,
    rows: [],
    answer: () => undefined,
    more: () => undefined,
    [Symbol.asyncDispose]() {
      listener.close();
      for (const stream of streams) stream.destroy();
      return Promise.resolve();
    },
  };
  return hostile;
}
