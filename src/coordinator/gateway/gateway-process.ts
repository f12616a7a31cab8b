import { spawn, type ChildProcess } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { FlotillaError, type ErrorDocument } from '../../error.ts';
import type { ByteReader } from '../../protocol/byte-reader.ts';
import type { ByteWriter } from '../../protocol/byte-writer.ts';
import { Channel } from '../../transport/channel.ts';
import { readJson, ToCore, ToGateway, writeJson } from './ipc.ts';

export interface GatewayProcessOption {
  entry: string;
  opensslConfigFile?: string | undefined;
  /** The first frame: of a gateway its GatewayConfig. */
  config: object;
  /** Everything but `ready` and `failed`. */
  onFrame(kind: number, body: ByteReader): void;
  /** Once, after its last frame. */
  onExit(reason: string): void;
}

/**
 * What a request to the whole fleet leaves behind is garbage as soon as the answers are through. With 16 MB of it, V8's
 * default, a tenth of a gateway's time went into moving what lives for a moment longer.
 */
const youngMemory = '--max-semi-space-size=32';

/** A gateway as the core sees it: a child process and the channel to it. */
export class GatewayProcess {
  /** The port it listens on; rejects when it can't start. */
  readonly ready: Promise<number>;
  readonly exited: Promise<void>;
  readonly #child: ChildProcess;
  readonly #channel: Channel;

  constructor(option: GatewayProcessOption) {
    // File descriptor 3 is a socket pair: nobody else can reach it, and it closes when either side dies.
    const openssl = option.opensslConfigFile === undefined ? [] : [`--openssl-config=${option.opensslConfigFile}`];
    const flags = ['--disable-warning=ExperimentalWarning', youngMemory, ...openssl];
    this.#child = spawn(process.execPath, [...flags, option.entry], {
      stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
    });
    const child = this.#child;
    const started = Promise.withResolvers<number>();
    const exited = Promise.withResolvers<void>();
    this.ready = started.promise;
    this.exited = exited.promise;
    let exit = 'exit';
    let open = 2;
    const closed = (): void => {
      open -= 1;
      if (open > 0) return; // its last frames may still be in the socket
      started.reject(new FlotillaError('ours', 'gateway-start', `a gateway ended before it was ready: ${exit}`));
      exited.resolve();
      option.onExit(exit);
    };
    child.on('error', (error) => {
      exit = error.message;
      if (child.pid === undefined) closed(); // it never ran: there will be no `exit`
    });
    child.on('exit', (code, signal) => {
      exit = signal ?? `exit ${code}`;
      closed();
    });
    const onFrame = (kind: number, body: ByteReader): void => {
      if (kind === ToCore.ready) started.resolve(body.varint());
      else if (kind === ToCore.failed) started.reject(FlotillaError.fromJSON(readJson(body) as ErrorDocument));
      else option.onFrame(kind, body);
    };
    this.#channel = new Channel(child.stdio[3] as Duplex, onFrame, () => {
      child.kill('SIGKILL'); // without its channel it is of no use, whatever it still thinks
      closed();
    });
    this.send(ToGateway.configure, (body) => writeJson(body, option.config));
    this.ready.catch(() => undefined); // a restarted one reports through onExit
  }

  get pid(): number | undefined {
    return this.#child.exitCode === null && this.#child.signalCode === null ? this.#child.pid : undefined;
  }

  send(kind: number, write: (body: ByteWriter) => void): void {
    this.#channel.send(kind, write);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}
