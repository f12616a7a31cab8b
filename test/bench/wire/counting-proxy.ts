import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';

/** IPv4 and TCP with timestamps: what every segment costs on top of its payload. */
export const segmentHeaderBytes = 52;

/** What has passed since the proxy began. Payload is TCP payload, of both directions. */
export interface Passed {
  payloadBytes: number;
  connections: number;
  /** Of `payloadBytes`, what passed on the connection that was made last. */
  newestConnectionBytes: number;
}

/** A TCP proxy between two programs: it copies bytes, counts them and understands none of them. */
export class CountingProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #payloadBytes = 0;
  #connections = 0;
  #newestConnectionBytes = 0;
  #lastByteAtMs = 0;

  private constructor(targetPort: number) {
    this.#server = createServer({ noDelay: true }, (near) => {
      this.#connections += 1;
      this.#newestConnectionBytes = 0;
      const connection = this.#connections;
      const far = connect({ host: '127.0.0.1', port: targetPort, noDelay: true });
      this.#copy(near, far, connection);
      this.#copy(far, near, connection);
    });
  }

  static async listen(targetPort: number): Promise<CountingProxy> {
    const proxy = new CountingProxy(targetPort);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  passed(): Passed {
    return {
      payloadBytes: this.#payloadBytes,
      connections: this.#connections,
      newestConnectionBytes: this.#newestConnectionBytes,
    };
  }

  /** Waits until nothing has passed for `quietMs`. */
  async settle(quietMs = 150): Promise<void> {
    for (;;) {
      const leftMs = this.#lastByteAtMs + quietMs - performance.now();
      if (leftMs <= 0) return;
      await sleep(leftMs);
    }
  }

  /** Waits until something passes, and then until nothing has passed for `quietMs`. */
  async exchange(timeoutMs: number, quietMs = 300): Promise<void> {
    const before = this.#payloadBytes;
    const endMs = performance.now() + timeoutMs;
    while (this.#payloadBytes === before) {
      if (performance.now() > endMs) throw new Error(`nothing was said within ${timeoutMs} ms`);
      await sleep(20);
    }
    await this.settle(quietMs);
  }

  /** Segments of the dialling side's open connections, both directions, as the kernel counted them. */
  async segments(): Promise<number> {
    const { stdout } = await execa('ss', ['-tinH', `sport = :${this.port}`]);
    return [...stdout.matchAll(/\bsegs_(?:in|out):(\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #copy(from: Socket, to: Socket, connection: number): void {
    this.#sockets.add(from);
    from.on('data', (bytes: Buffer) => {
      this.#payloadBytes += bytes.length;
      if (connection === this.#connections) this.#newestConnectionBytes += bytes.length;
      this.#lastByteAtMs = performance.now();
      if (!to.write(bytes)) from.pause();
    });
    to.on('drain', () => from.resume());
    from.on('end', () => to.end());
    from.on('error', () => to.destroy());
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }
}
