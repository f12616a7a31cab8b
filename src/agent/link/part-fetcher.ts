import { Buffer } from 'node:buffer';
import { FlotillaError } from '../../error.ts';
import { maxWantBytes, maxWants } from '../../protocol/limit.ts';
import type { WantRefusal } from '../../protocol/message.ts';
import type { BlobRange } from './port.ts';
import type { DeviceSession } from '../../session/device-session.ts';

interface Fetch {
  sha256: Buffer;
  offset: number;
  bytes: Uint8Array;
  /** Of `bytes`, how many have come. */
  got: number;
  onBytes: ((got: number) => void) | undefined;
  resolve(bytes: Uint8Array): void;
  reject(error: FlotillaError): void;
}

/** A part may be larger than one WANT; it is asked for in pieces. */
export const maxFetchBytes = 4 * 1024 * 1024;

/** Fetches in progress on one session; when the session ends they end, and the caller starts where it stands. */
export class PartFetcher {
  readonly #session: DeviceSession;
  readonly #changed: () => void;
  readonly #queue: Fetch[] = [];
  readonly #active = new Map<number, Fetch>();

  constructor(session: DeviceSession, changed: () => void) {
    this.#session = session;
    this.#changed = changed;
  }

  fetch(
    { sha256, offset, length, into = Buffer.alloc(length), onBytes }: BlobRange,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array> {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    const fetch: Fetch = {
      sha256: Buffer.from(sha256, 'hex'),
      offset,
      bytes: into.subarray(0, length),
      got: 0,
      onBytes,
      resolve,
      reject,
    };
    const abort = (): void => {
      this.#drop(fetch);
      reject(new FlotillaError('failed', 'fetch-aborted', 'the fetch was aborted', { cause: signal?.reason }));
    };
    signal?.addEventListener('abort', abort, { once: true });
    this.#queue.push(fetch);
    this.#ask();
    return promise.finally(() => signal?.removeEventListener('abort', abort));
  }

  data(id: number, bytes: Uint8Array, last: boolean): void {
    const fetch = this.#active.get(id);
    if (fetch === undefined) return;
    fetch.bytes.set(bytes, fetch.got);
    fetch.got += bytes.length;
    fetch.onBytes?.(fetch.got);
    if (!last) return;
    this.#active.delete(id);
    if (fetch.got === fetch.bytes.length) fetch.resolve(fetch.bytes);
    else this.#queue.unshift(fetch);
    this.#ask();
  }

  refused(id: number, code: WantRefusal): void {
    const fetch = this.#active.get(id);
    if (fetch === undefined) return;
    this.#active.delete(id);
    fetch.reject(
      new FlotillaError('refused', 'blob-refused', `the coordinator does not give this part: ${code}`, {
        seen: `${fetch.sha256.toString('hex')} from ${fetch.offset + fetch.got}`,
      }),
    );
    this.#ask();
  }

  /** The session is over; `isFault`: because of what the coordinator has sent, which may be one of these. */
  lost(reason: string, isFault = false): void {
    const all = [...this.#active.values(), ...this.#queue];
    this.#active.clear();
    this.#queue.length = 0;
    for (const fetch of all) fetch.reject(isFault ? partMalformed(reason) : linkLost(reason));
  }

  /** The pieces of one fetch are asked for one after the other: their bytes are contiguous. */
  #ask(): void {
    while (this.#active.size < maxWants && this.#session.wants < maxWants) {
      const fetch = this.#queue.shift();
      if (fetch === undefined) break;
      const length = Math.min(maxWantBytes, fetch.bytes.length - fetch.got);
      this.#active.set(this.#session.want(fetch.sha256, fetch.offset + fetch.got, length), fetch);
    }
    this.#changed();
  }

  #drop(dropped: Fetch): void {
    const at = this.#queue.indexOf(dropped);
    if (at !== -1) this.#queue.splice(at, 1);
    for (const [id, fetch] of this.#active) {
      if (fetch !== dropped) continue;
      this.#active.delete(id);
      this.#session.cancelWant(id);
    }
    this.#ask();
  }
}

export function linkLost(reason: string): FlotillaError {
  return new FlotillaError('unreachable', 'link-lost', `there is no session with the coordinator: ${reason}`, {
    suggestion: 'try again when the link is live',
  });
}

function partMalformed(reason: string): FlotillaError {
  return new FlotillaError('refused', 'part-malformed', `the coordinator broke the protocol: ${reason}`);
}
