/** Devices for tests that need a thousand of them: the real session over real TLS, without a disk or a process. */
import { randomBytes } from 'node:crypto';
import type { CoordinatorClient } from '../../src/client/coordinator-client.ts';
import { createDeviceKeyAndCsr } from '../../src/pki/index.ts';
import { BatchDecoderWorkspace, BatchWorkspace } from '../../src/protocol/columns/index.ts';
import { Lane } from '../../src/protocol/lane.ts';
import { noSchemas } from '../../src/protocol/schema-catalogue.ts';
import { DeviceSession } from '../../src/session/device-session.ts';
import type { Close } from '../../src/session/effect.ts';
import type { ByteStream, StreamReceiver } from '../../src/transport/byte-stream.ts';
import { dialTls } from '../../src/transport/tls-dialer.ts';
import { textRow, type DevicePems } from './link-bench.ts';

/** Buffers of all sessions of this process, as in an agent with one. */
const workspace = { encoder: new BatchWorkspace('range'), decoder: new BatchDecoderWorkspace() };
const maxFlushBytes = 65_536;

export interface Ended {
  reason: string;
  /** Of REJECT or GOAWAY. */
  close?: Close;
  /** Wall clock. */
  atMs: number;
}

export class BareDevice {
  readonly id: string;
  readonly #pems: DevicePems;
  readonly #serverName: string;
  readonly #instanceId = randomBytes(8).readBigUInt64BE() || 1n;
  #session!: DeviceSession;
  #stream: ByteStream | undefined;
  #begun = Promise.withResolvers<'live' | Ended>();
  #over = Promise.withResolvers<Ended>();
  #close: Close | undefined;
  #seq = 0;
  #ackedSeq = 0;
  #waiting: { seq: number; resolve(): void }[] = [];
  /** The newest that was given. */
  ticket: Buffer | undefined;
  resumed = false;
  /** Of TLS' plain text, in this connection. */
  receivedBytes = 0;

  constructor(id: string, pems: DevicePems, serverName: string) {
    this.id = id;
    this.#pems = pems;
    this.#serverName = serverName;
  }

  /** Resolves when it is welcomed, refused or lost. */
  dial(port: number, { ticket }: { ticket?: Buffer } = {}): Promise<'live' | Ended> {
    this.#begun = Promise.withResolvers();
    this.#over = Promise.withResolvers();
    this.#close = undefined;
    this.receivedBytes = 0;
    this.#session = new DeviceSession(
      {
        instanceId: this.#instanceId,
        knownCoordinatorInstanceId: 0n,
        nextSeq: [1, 1, 1, this.#seq + 1],
        requestCursor: [0, 0, 0, 0],
        agentVersion: '0.1.0',
        newInstance: false,
      },
      { schemas: noSchemas, untold: new Set(), workspace, keepaliveMs: 240_000, answerTimeoutMs: 60_000 },
      performance.now(),
    );
    dialTls({
      host: '127.0.0.1',
      port,
      serverName: this.#serverName,
      ...this.#pems,
      keyExchange: 'classic',
      ticket,
      onStream: (stream, resumed) => {
        this.#stream = stream;
        this.resumed = resumed;
        stream.attach(this.#receiver(this.#over));
        this.#flush();
      },
      onFailed: (reason) => this.#end(reason),
      onTicket: (fresh) => {
        this.ticket = fresh;
      },
    });
    return this.#begun.promise;
  }

  /** Of the present connection. */
  get over(): Promise<Ended> {
    return this.#over.promise;
  }

  /** Sends one event; resolves when it is stored. */
  publish(text: string): Promise<void> {
    this.#seq += 1;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ seq: this.#seq, resolve });
    this.#session.enqueue(Lane.bulk, this.#seq, [textRow(text)]);
    this.#flush();
    return promise;
  }

  hangUp(): void {
    this.#stream?.destroy();
  }

  /** An earlier connection's end is not this one's. */
  #receiver(over: PromiseWithResolvers<Ended>): StreamReceiver {
    const current = (): boolean => over === this.#over;
    return {
      onBytes: (bytes) => void (current() && this.#receive(bytes)),
      onDrain: () => void (current() && this.#flush()),
      onClose: (reason) => void (current() && this.#end(reason)),
    };
  }

  #receive(bytes: Uint8Array): void {
    this.receivedBytes += bytes.length;
    for (const effect of this.#session.receive(bytes, performance.now())) {
      if (effect.kind === 'live') this.#begun.resolve('live');
      else if (effect.kind === 'acked') this.#acked(effect.lane, effect.upToSeq);
      else if (effect.kind === 'closed') {
        this.#close = effect.close;
        this.#end(effect.close.code);
      }
    }
    this.#flush();
  }

  #acked(lane: number, upToSeq: number): void {
    if (lane !== Lane.bulk) return;
    this.#ackedSeq = Math.max(this.#ackedSeq, upToSeq);
    for (const { resolve } of this.#waiting.filter(({ seq }) => seq <= this.#ackedSeq)) resolve();
    this.#waiting = this.#waiting.filter(({ seq }) => seq > this.#ackedSeq);
  }

  #end(reason: string): void {
    const ended: Ended = { reason, atMs: Date.now(), ...(this.#close === undefined ? {} : { close: this.#close }) };
    this.#begun.resolve(ended);
    this.#over.resolve(ended);
  }

  #flush(): void {
    const bytes = this.#session.flush(performance.now(), maxFlushBytes);
    if (bytes !== undefined) this.#stream?.write(bytes);
  }
}

/** Real keys and certificates, signed over the API, some at a time. */
export async function enrollMany(
  client: CoordinatorClient,
  ids: readonly string[],
  serverName: string,
): Promise<BareDevice[]> {
  const devices: BareDevice[] = [];
  for (let n = 0; n < ids.length; n += 50) {
    const some = ids.slice(n, n + 50).map(async (id) => {
      const { csrPem, privateKeyPem } = await createDeviceKeyAndCsr(id);
      const { certificate, authority } = await client.sign({ csr: csrPem });
      return new BareDevice(
        id,
        { keyPem: privateKeyPem, certificatePem: certificate.pem, authorityPem: authority },
        serverName,
      );
    });
    devices.push(...(await Promise.all(some)));
  }
  return devices;
}

/** Calls `act` for each, at most `limit` at a time. */
export async function inTurn<T>(items: readonly T[], limit: number, act: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  await Promise.all(
    Array.from({ length: limit }, async () => {
      for (const item of rest) await act(item);
    }),
  );
}
