import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { systemErrorCode } from '../error.ts';
import type { ByteStream, StreamReceiver, StreamTraffic } from './byte-stream.ts';

const owner = Symbol('TlsStream');
interface OwnedSocket extends TLSSocket {
  [owner]: TlsStream;
}

/** A TLS socket as a ByteStream. Thousands live in a process: the handlers are shared functions, not closures. */
export class TlsStream implements ByteStream {
  readonly address: string;
  readonly #socket: TLSSocket;
  /** Below TLS: its counters are what the network carried. */
  readonly #raw: Socket;
  #receiver: StreamReceiver | undefined;
  #problem: string | undefined;
  #closed = false;

  constructor(socket: TLSSocket, raw: Socket) {
    this.#socket = socket;
    this.#raw = raw;
    this.address = addressOf(socket);
    (socket as OwnedSocket)[owner] = this;
    socket.on('error', onError);
    socket.on('close', onClose);
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  get traffic(): StreamTraffic {
    return { receivedBytes: this.#raw.bytesRead, sentBytes: this.#raw.bytesWritten };
  }

  attach(receiver: StreamReceiver): void {
    this.#receiver = receiver;
    this.#socket.on('drain', onDrain);
    this.#socket.on('data', onData);
  }

  write(bytes: Uint8Array): void {
    if (!this.#socket.destroyed && this.#socket.writable) this.#socket.write(bytes);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** @internal */
  received(bytes: Uint8Array): void {
    this.#receiver?.onBytes(bytes);
  }

  /** @internal */
  drained(): void {
    this.#receiver?.onDrain();
  }

  /** @internal */
  failed(error: Error): void {
    this.#problem ??= systemErrorCode(error) ?? error.message;
  }

  /** @internal */
  ended(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#receiver?.onClose(this.#problem ?? 'ended');
  }
}

export function addressOf(socket: Socket): string {
  const { remoteAddress = 'unknown', remotePort = 0 } = socket;
  return remoteAddress.includes(':') ? `[${remoteAddress}]:${remotePort}` : `${remoteAddress}:${remotePort}`;
}

function onData(this: TLSSocket, chunk: Uint8Array): void {
  (this as OwnedSocket)[owner].received(chunk);
}

function onDrain(this: TLSSocket): void {
  (this as OwnedSocket)[owner].drained();
}

function onError(this: TLSSocket, error: Error): void {
  (this as OwnedSocket)[owner].failed(error);
}

function onClose(this: TLSSocket): void {
  (this as OwnedSocket)[owner].ended();
}
