import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * zlib gives every piece of its output in memory of its own, and V8 looks for what is no longer used only when 64 MiB
 * of it have come together. A device has not that much to spare: after every few MiB the young ones are collected,
 * which takes a fraction of a millisecond.
 */
const intervalBytes = 8 * 1024 * 1024;

export class YoungBuffers {
  #sinceBytes = 0;
  #collect: (() => void) | undefined;

  /** Told of every piece that was made; at times frees those that nobody holds any more. */
  made(bytes: number): void {
    this.#sinceBytes += bytes;
    if (this.#sinceBytes < intervalBytes) return;
    this.#sinceBytes = 0;
    this.#collect ??= collector();
    this.#collect();
  }
}

function collector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (option: { type: 'minor' }) => void;
  return () => collect({ type: 'minor' });
}
