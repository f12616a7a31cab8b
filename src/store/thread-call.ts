import { Worker } from 'node:worker_threads';
import { FlotillaError } from '../error.ts';
import type { StoreReply, StoreRequest } from './serve-store.ts';

type Body = StoreRequest extends infer R ? (R extends { id: number } ? Omit<R, 'id'> : never) : never;

interface Pending {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** One thread of the store and the calls that wait for its answers. */
export class ThreadCall {
  /** Answers of the opening itself; rejects when the database can't be opened. */
  readonly ready: Promise<void>;
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  readonly #onLost: (error: FlotillaError) => void;
  #lastId = 0;
  #closed: FlotillaError | undefined;

  constructor(entry: URL, workerData: unknown, onLost: (error: FlotillaError) => void) {
    this.#onLost = onLost;
    this.#worker = new Worker(entry, { workerData, execArgv: ['--disable-warning=ExperimentalWarning'] });
    this.#worker.on('error', (cause) => this.#end(cause));
    this.#worker.on('exit', () => this.#end(undefined));
    this.#worker.on('message', (reply: StoreReply) => {
      const call = this.#pending.get(reply.id);
      this.#pending.delete(reply.id);
      if ('error' in reply) call?.reject(FlotillaError.fromJSON(reply.error));
      else call?.resolve(reply.value);
    });
    this.ready = new Promise<void>((resolve, reject) => {
      this.#pending.set(0, { resolve: () => resolve(), reject });
    }).catch(async (error) => {
      this.#closed = error;
      await this.#worker.terminate();
      throw error;
    });
  }

  /** @param moved memory that the thread takes over */
  call<T>(body: Body, moved: ArrayBuffer[] = []): Promise<T> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise<T>((resolve, reject) => {
      this.#pending.set(id, { resolve: resolve, reject });
      this.#worker.postMessage({ id, ...body }, moved);
    });
  }

  async close(): Promise<void> {
    if (this.#closed !== undefined) return;
    const answered = this.call({ kind: 'close' });
    // At once: the answer and the thread's end may come in one go, and nobody has heard the one before the other.
    this.#closed = new FlotillaError('ours', 'store-closed', 'the store is closed');
    await answered;
    await this.#worker.terminate();
  }

  #end(cause: unknown): void {
    const known = this.#closed;
    this.#closed ??= new FlotillaError('ours', 'store-lost', 'a thread of the store ended', { cause });
    for (const { reject } of this.#pending.values()) reject(this.#closed);
    this.#pending.clear();
    if (known === undefined) this.#onLost(this.#closed);
  }
}
