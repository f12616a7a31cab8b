import { chunkBytes, maxSafe, maxWants } from '../protocol/limit.ts';
import type { ChunkMessage, WantRefusal } from '../protocol/message.ts';
import { ProtocolError } from '../protocol/protocol-error.ts';
import type { Effect } from './effect.ts';
import { InFlight } from './in-flight.ts';

interface Served {
  remaining: number;
}

/** The coordinator's side: who waits for what, and the few pieces that are ready to leave. */
export class WantServer {
  readonly inFlight = new InFlight();
  readonly #served = new Map<number, Served>();
  readonly #pieces: { id: number; bytes: Uint8Array }[] = [];
  readonly #refusals: { id: number; code: WantRefusal }[] = [];
  #lastId = 0;
  #sentBytes = 0;
  #tookBytes = 0;
  #readyBytes = 0;

  /** Bytes that are ready and have not left. */
  get readyBytes(): number {
    return this.#readyBytes;
  }

  receive(message: ChunkMessage, nowMs: number): { effect?: Effect; took?: { bytes: number; delayMs: number } } {
    switch (message.type) {
      case 'want': {
        const { id, sha256, offset, length } = message;
        if (id !== this.#lastId + 1) throw new ProtocolError('chunk', `WANT ${id} after ${this.#lastId}`);
        if (this.#served.size >= maxWants) throw new ProtocolError('chunk', `more than ${maxWants} WANTs at a time`);
        if (offset > maxSafe - length) throw new ProtocolError('chunk', `offset ${offset} is too large`);
        this.#lastId = id;
        this.#served.set(id, { remaining: length });
        return { effect: { kind: 'want', id, sha256, offset, length } };
      }
      case 'took': {
        this.#tookBytes += message.bytes;
        if (this.#tookBytes > this.#sentBytes) throw new ProtocolError('chunk', 'TOOK of more than was sent');
        return { took: this.inFlight.settle(this.#tookBytes, nowMs) };
      }
      case 'want-cancelled': {
        const { id } = message;
        if (id === 0 || id > this.#lastId) throw new ProtocolError('chunk', `WANT ${id} was never made`);
        if (!this.#drop(id)) return {}; // it crossed the last of the data
        return { effect: { kind: 'want-cancelled', id } };
      }
      default:
        throw new ProtocolError('frame-type', `${message.type} is what a coordinator says`);
    }
  }

  /** The next bytes of a part, in order. False: nobody waits for them any more. */
  provide(id: number, bytes: Uint8Array): boolean {
    const served = this.#served.get(id);
    if (served === undefined) return false;
    if (bytes.length > served.remaining)
      throw new RangeError(`${bytes.length} bytes for a part that lacks ${served.remaining}`);
    served.remaining -= bytes.length;
    for (let at = 0; at < bytes.length; at += chunkBytes)
      this.#pieces.push({ id, bytes: bytes.subarray(at, at + chunkBytes) });
    this.#readyBytes += bytes.length;
    return true;
  }

  refuse(id: number, code: WantRefusal): void {
    if (this.#drop(id)) this.#refusals.push({ id, code });
  }

  takeRefusal(): { id: number; code: WantRefusal } | undefined {
    return this.#refusals.shift();
  }

  get nextBytes(): number | undefined {
    return this.#pieces[0]?.bytes.length;
  }

  take(nowMs: number): { id: number; bytes: Uint8Array } | undefined {
    const piece = this.#pieces.shift();
    if (piece === undefined) return undefined;
    this.#readyBytes -= piece.bytes.length;
    this.#sentBytes += piece.bytes.length;
    this.inFlight.push(this.#sentBytes, piece.bytes.length, nowMs);
    const served = this.#served.get(piece.id);
    if (served?.remaining === 0 && !this.#pieces.some(({ id }) => id === piece.id)) this.#served.delete(piece.id);
    return piece;
  }

  #drop(id: number): boolean {
    if (!this.#served.delete(id)) return false;
    for (let n = this.#pieces.length - 1; n >= 0; n -= 1) {
      if (this.#pieces[n]!.id === id) this.#readyBytes -= this.#pieces.splice(n, 1)[0]!.bytes.length;
    }
    return true;
  }
}
