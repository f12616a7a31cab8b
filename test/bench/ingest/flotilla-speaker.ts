import { randomBytes } from 'node:crypto';
import type { ByteStream, StreamReceiver } from '../../../src/transport/byte-stream.ts';
import { dialTls } from '../../../src/transport/tls-dialer.ts';
import { BatchDecoderWorkspace, BatchWorkspace } from '../../../src/protocol/columns/index.ts';
import { Lane } from '../../../src/protocol/lane.ts';
import type { SchemaCatalogue } from '../../../src/protocol/schema-catalogue.ts';
import { DeviceSession } from '../../../src/session/device-session.ts';
import type { DevicePems } from '../../support/link-bench.ts';
import type { WireEvent } from '../wire/event-set.ts';
import type { Speaker, SpeakerOption } from './speaker.ts';

/** Buffers of all sessions of this process, as in an agent with one. */
const workspace = { encoder: new BatchWorkspace('range'), decoder: new BatchDecoderWorkspace() };
const maxFlushBytes = 65_536;

/** The device's end of the link: the agent's session and transport, without its disk. */
export class FlotillaSpeaker implements Speaker, StreamReceiver {
  readonly #option: SpeakerOption;
  readonly #session: DeviceSession;
  #stream: ByteStream | undefined;
  #live = false;
  #over = false;
  #nextSeq = 1;
  #ackedSeq = 0;

  constructor(
    option: SpeakerOption & { pems: DevicePems; port: number; serverName: string; schemas: SchemaCatalogue },
  ) {
    this.#option = option;
    const { schemas, pems, port, serverName } = option;
    this.#session = new DeviceSession(
      {
        instanceId: randomBytes(8).readBigUInt64BE() || 1n,
        knownCoordinatorInstanceId: 0n,
        nextSeq: [1, 1, 1, 1],
        requestCursor: [0, 0, 0, 0],
        agentVersion: '0.1.0',
        newInstance: false,
      },
      { schemas, untold: new Set(schemas.keys()), workspace, keepaliveMs: 240_000, answerTimeoutMs: 60_000 },
      performance.now(),
    );
    dialTls({
      host: '127.0.0.1',
      port,
      serverName,
      ...pems,
      keyExchange: 'classic',
      onStream: (stream) => {
        this.#stream = stream;
        stream.attach(this);
        this.#flush();
      },
      onFailed: (reason) => option.onFailed(reason),
      onTicket: () => undefined,
    });
  }

  get ready(): boolean {
    return this.#live;
  }

  get open(): boolean {
    return this.#session.queuedBytes() === 0;
  }

  send(events: WireEvent[]): void {
    this.#session.enqueue(
      Lane.bulk,
      this.#nextSeq,
      events.map(({ row }) => row),
    );
    this.#nextSeq += events.length;
    this.#flush();
  }

  end(): void {
    this.#over = true;
    this.#session.close('closed', 'the bench is over');
    this.#flush();
    this.#stream?.end();
  }

  onBytes(bytes: Uint8Array): void {
    let confirmed = 0;
    for (const effect of this.#session.receive(bytes, performance.now())) {
      if (effect.kind === 'live') this.#live = true;
      else if (effect.kind === 'acked') {
        confirmed += effect.upToSeq - this.#ackedSeq;
        this.#ackedSeq = effect.upToSeq;
      } else if (effect.kind === 'closed' && !this.#over) this.#option.onFailed(JSON.stringify(effect.close));
      else if (effect.kind === 'nacked') this.#option.onFailed(JSON.stringify(effect.nack));
    }
    this.#flush();
    if (confirmed > 0) this.#option.onConfirmed(confirmed);
  }

  onDrain(): void {
    this.#flush();
  }

  onClose(reason: string): void {
    if (!this.#over) this.#option.onFailed(reason);
  }

  #flush(): void {
    const bytes = this.#session.flush(performance.now(), maxFlushBytes);
    if (bytes !== undefined) this.#stream?.write(bytes);
  }
}
