import { Buffer } from 'node:buffer';
import { connect as connectTcp } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import type { DevicePems } from '../../support/link-bench.ts';
import { brokerMessages } from '../wire/batch-body.ts';
import type { WireEvent } from '../wire/event-set.ts';
import type { Speaker, SpeakerOption } from './speaker.ts';

/** The NATS client protocol by hand: INFO in the clear, TLS, PUB with a reply subject, PubAck as MSG. */
export class NatsSpeaker implements Speaker {
  readonly #option: SpeakerOption & { packed: boolean };
  #socket: TLSSocket | undefined;
  #ready = false;
  #partial: Buffer = Buffer.alloc(0);
  readonly #out: number[] = [];
  readonly #inbox: string;

  constructor(option: SpeakerOption & { pems: DevicePems; port: number; serverName: string; packed: boolean }) {
    this.#option = option;
    this.#inbox = `_INBOX.${option.id}`;
    const raw = connectTcp({ host: '127.0.0.1', port: option.port, noDelay: true });
    raw.once('error', (error) => option.onFailed(error.message));
    raw.once('data', () => {
      // The server's INFO: it wants TLS now.
      const { keyPem, certificatePem, authorityPem } = option.pems;
      const socket = connect({
        socket: raw,
        servername: option.serverName,
        key: keyPem,
        cert: certificatePem,
        ca: authorityPem,
        minVersion: 'TLSv1.3',
        ecdhCurve: 'X25519',
      });
      this.#socket = socket;
      socket.on('error', (error) => option.onFailed(error.message));
      socket.on('data', (bytes: Buffer) => this.#receive(bytes));
      socket.once('secureConnect', () => {
        const greeting = { verbose: false, pedantic: false, tls_required: true, lang: 'bench', version: '1' };
        socket.write(`CONNECT ${JSON.stringify(greeting)}\r\nSUB ${this.#inbox} 1\r\nPING\r\n`);
      });
    });
  }

  get ready(): boolean {
    return this.#ready;
  }

  get open(): boolean {
    return (this.#socket?.writableLength ?? 0) < 65_536;
  }

  send(events: WireEvent[], firstOffset: number): void {
    const socket = this.#socket!;
    const messages = brokerMessages(this.#option.packed ? 'rows' : 'each', events, firstOffset);
    socket.cork();
    for (const { topic, body } of messages) {
      this.#out.push(events.length / messages.length);
      socket.write(`PUB ev.${topic.join('.')} ${this.#inbox} ${body.length}\r\n`);
      socket.write(body);
      socket.write('\r\n');
    }
    socket.uncork();
  }

  end(): void {
    this.#socket?.end();
  }

  #receive(bytes: Buffer): void {
    let rest = this.#partial.length === 0 ? bytes : Buffer.concat([this.#partial, bytes]);
    let confirmed = 0;
    for (let at = rest.indexOf('\r\n'); at >= 0; at = rest.indexOf('\r\n')) {
      const line = rest.toString('latin1', 0, at);
      if (line.startsWith('MSG ')) {
        const length = Number(line.slice(line.lastIndexOf(' ') + 1));
        if (rest.length < at + 2 + length + 2) break;
        const body = rest.toString('utf8', at + 2, at + 2 + length);
        if (body.includes('"error"')) this.#option.onFailed(body);
        confirmed += this.#out.shift()!;
        rest = rest.subarray(at + 2 + length + 2);
        continue;
      }
      if (line === 'PONG') this.#ready = true;
      else if (line === 'PING') this.#socket!.write('PONG\r\n');
      else if (line.startsWith('-ERR')) this.#option.onFailed(line);
      rest = rest.subarray(at + 2);
    }
    this.#partial = rest;
    if (confirmed > 0) this.#option.onConfirmed(confirmed);
  }
}
