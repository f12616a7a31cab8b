import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

interface Pair {
  device: Socket;
  coordinator: Socket;
  stalled: boolean;
  /** Of the device's next bytes only this share passes. */
  halveAt: number | undefined;
  /** Bytes that a ghost still has to say. */
  late: Buffer[] | undefined;
}

/** Between the devices and the coordinator: passes bytes on, until it is told to do something worse. */
export class ChaosProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #target: () => number;
  readonly #pairs = new Set<Pair>();
  #refuseUntilMs = 0;
  #connections = 0;

  /** @param target the coordinator's port, asked at each connection */
  private constructor(server: Server, target: () => number) {
    this.#server = server;
    this.#target = target;
    server.on('connection', (device) => this.#onConnection(device));
  }

  static async listen(target: () => number): Promise<ChaosProxy> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new ChaosProxy(server, target);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.#connections;
  }

  cut(pick: number): boolean {
    const pair = this.#pick(pick);
    if (pair !== undefined) this.#close(pair);
    return pair !== undefined;
  }

  stall(pick: number, ms: number): boolean {
    const pair = this.#pick(pick);
    if (pair === undefined) return false;
    pair.stalled = true;
    pair.device.pause();
    pair.coordinator.pause();
    setTimeout(() => {
      pair.stalled = false;
      pair.device.resume();
      pair.coordinator.resume();
    }, ms);
    return true;
  }

  halve(pick: number, share: number): boolean {
    const pair = this.#pick(pick);
    if (pair !== undefined) pair.halveAt = share;
    return pair !== undefined;
  }

  ghost(pick: number, ms: number): boolean {
    const pair = this.#pick(pick);
    if (pair === undefined) return false;
    const late: Buffer[] = [];
    pair.late = late;
    // Whatever the device has written and not seen arrive is what the ghost says.
    setTimeout(() => {
      this.#pairs.delete(pair);
      pair.device.destroy();
      setTimeout(() => {
        for (const bytes of late) pair.coordinator.write(bytes);
        pair.coordinator.end();
        setTimeout(() => pair.coordinator.destroy(), 500);
      }, ms);
    }, 50);
    return true;
  }

  refuse(ms: number): void {
    this.#refuseUntilMs = performance.now() + ms;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pair of this.#pairs) this.#close(pair);
    this.#server.close();
    await once(this.#server, 'close');
  }

  #pick(share: number): Pair | undefined {
    const pairs = [...this.#pairs].filter(({ stalled, late }) => !stalled && late === undefined);
    return pairs[Math.floor(share * pairs.length)];
  }

  #onConnection(device: Socket): void {
    device.on('error', () => undefined);
    if (performance.now() < this.#refuseUntilMs) {
      device.resetAndDestroy();
      return;
    }
    this.#connections += 1;
    const coordinator = connect({ host: '127.0.0.1', port: this.#target(), noDelay: true });
    coordinator.on('error', () => undefined);
    device.setNoDelay(true);
    const pair: Pair = { device, coordinator, stalled: false, halveAt: undefined, late: undefined };
    this.#pairs.add(pair);
    device.on('data', (bytes) => this.#fromDevice(pair, bytes));
    coordinator.on('data', (bytes) => {
      if (pair.late === undefined) device.write(bytes);
    });
    device.on('close', () => {
      if (pair.late === undefined) this.#close(pair);
    });
    coordinator.on('close', () => this.#close(pair));
  }

  #fromDevice(pair: Pair, bytes: Buffer): void {
    if (pair.late !== undefined) {
      pair.late.push(bytes);
      return;
    }
    if (pair.halveAt === undefined) {
      pair.coordinator.write(bytes);
      return;
    }
    pair.coordinator.end(bytes.subarray(0, Math.floor(bytes.length * pair.halveAt)));
    pair.device.destroy();
    this.#pairs.delete(pair);
  }

  #close(pair: Pair): void {
    this.#pairs.delete(pair);
    pair.device.destroy();
    pair.coordinator.destroy();
  }
}
