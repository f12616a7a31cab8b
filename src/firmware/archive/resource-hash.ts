import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { systemErrorCode } from '../../error.ts';
import { createBlake2b256 } from './blake2b.ts';
import { slotBytes, slotCount, type HashReply, type HashRequest } from './hash-service.ts';

/** BLAKE2b-256 of a resource. `close` always, also when nobody asks for the digest. */
export interface ResourceHash extends AsyncDisposable {
  /** Takes a copy: the caller may use the memory again. */
  update(bytes: Uint8Array): Promise<void>;
  /** Hex. */
  digest(): Promise<string>;
}

/** From here on a thread of its own gains more than its start costs (30 ms, or 15 MiB of hashing). */
const leastThreadBytes = 16 * 1024 * 1024;

/**
 * Hashing is the slowest step of reading a bundle and can't be split: a large resource gets a second thread for it,
 * where there is a second core. Not in the one-file agent: it has no script beside it, and a device has less memory to
 * spare than time.
 */
export async function hashResource(expectedBytes: number): Promise<ResourceHash> {
  const script = expectedBytes >= leastThreadBytes && availableParallelism() > 1 ? findScript() : undefined;
  if (script !== undefined) return new ThreadHash(script);
  const hash = await createBlake2b256();
  return {
    async update(bytes) {
      hash.update(bytes);
    },
    async digest() {
      return hash.digest('hex');
    },
    async [Symbol.asyncDispose]() {},
  };
}

/** package.json names the script: another one in the sources than in the build, and none for the one-file agent. */
function findScript(): URL | undefined {
  try {
    return pathToFileURL(createRequire(import.meta.url).resolve('#hash-thread'));
  } catch (error) {
    if (/^(MODULE_NOT_FOUND|ERR_PACKAGE_IMPORT_NOT_DEFINED)$/.test(systemErrorCode(error) ?? '')) return undefined;
    throw error;
  }
}

/** Fills slots of shared memory, which the thread works off in order and gives back. */
class ThreadHash implements ResourceHash {
  readonly #memory = new SharedArrayBuffer(slotBytes * slotCount);
  readonly #bytes = new Uint8Array(this.#memory);
  readonly #free = Array.from({ length: slotCount }, (_, slot) => slot);
  readonly #worker: Worker;
  #filling = this.#free.pop()!;
  #filled = 0;
  #digest: string | undefined;
  #lost: Error | undefined;
  #wake: () => void = () => undefined;

  constructor(script: URL) {
    this.#worker = new Worker(script, {
      workerData: this.#memory,
      execArgv: ['--disable-warning=ExperimentalWarning'],
      resourceLimits: { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 16 },
    });
    this.#worker.on('message', (reply: HashReply) => {
      if ('slot' in reply) this.#free.push(reply.slot);
      else this.#digest = reply.digest;
      this.#wake();
    });
    this.#worker.on('error', (error: Error) => {
      this.#lost = error;
      this.#wake();
    });
  }

  async update(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const part = bytes.subarray(at, at + slotBytes - this.#filled);
      this.#bytes.set(part, this.#filling * slotBytes + this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled < slotBytes) continue;
      this.#send({ slot: this.#filling, length: this.#filled });
      while (this.#free.length === 0) await this.#reply();
      this.#filling = this.#free.pop()!;
      this.#filled = 0;
    }
  }

  async digest(): Promise<string> {
    this.#send({ slot: this.#filling, length: this.#filled });
    this.#send({});
    while (this.#digest === undefined) await this.#reply();
    return this.#digest;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }

  #send(request: HashRequest): void {
    this.#worker.postMessage(request);
  }

  async #reply(): Promise<void> {
    if (this.#lost === undefined) await new Promise<void>((resolve) => (this.#wake = resolve));
    if (this.#lost !== undefined) throw this.#lost;
  }
}
