import { createHash, type Hash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { FlotillaError } from '../../error.ts';

const chunkBytes = 512 * 1024;
/** A chunk's memory is used again for the fourth one after it: a reader joins at most two, one is being read. */
const buffers = 4;

/** A .fw file as chunks, with its length and, where asked for, its SHA-256 counted on the way. */
export class BundleFile implements AsyncIterable<Uint8Array> {
  readonly path: string;
  readonly #hash: Hash | undefined;
  bytes = 0;

  constructor(path: string, { hashed = false }: { hashed?: boolean } = {}) {
    this.path = path;
    this.#hash = hashed ? createHash('sha256') : undefined;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    const handle = await open(this.path, 'r').catch((cause) => {
      throw this.#unreadable(cause);
    });
    try {
      if (!(await handle.stat()).isFile()) throw this.#unreadable(new Error('not a regular file'));
      const ring = Array.from({ length: buffers }, () => Buffer.allocUnsafe(chunkBytes));
      const read = (turn: number) => handle.read(ring[turn % buffers]!, 0, chunkBytes, this.bytes);
      for (let turn = 0, next = read(0); ; turn++) {
        const { buffer, bytesRead } = await next;
        if (bytesRead === 0) return;
        const chunk = buffer.subarray(0, bytesRead);
        this.bytes += bytesRead;
        next = read(turn + 1); // while the consumer works on this one
        next.catch(() => undefined); // told when its turn comes
        this.#hash?.update(chunk);
        yield chunk;
      }
    } finally {
      await handle.close();
    }
  }

  /** Hex; of all that was read, so only the file's after it was read to the end. */
  sha256(): string {
    return this.#hash?.copy().digest('hex') ?? '';
  }

  #unreadable(cause: unknown): FlotillaError {
    return new FlotillaError('usage', 'firmware-file-unreadable', `cannot read the bundle ${this.path}`, {
      seen: cause instanceof Error ? cause.message : String(cause),
      cause,
      fwup: `Failed to open '${this.path}'`,
    });
  }
}
