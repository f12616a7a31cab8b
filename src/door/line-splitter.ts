import { Buffer } from 'node:buffer';

const newline = 0x0a;
const firstHeldBytes = 1_024;

/**
 * Lines out of a stream of bytes, pulled one by one, so that a reader who has to wait holds one chunk and no more. A
 * line longer than allowed is said once, as `too-long`, and left out to its end; at most `maxBytes` are ever held.
 */
export class LineSplitter {
  readonly #maxBytes: number;
  #chunk: Uint8Array = Buffer.alloc(0);
  #at = 0;
  /** The beginning of a line that goes on in a later chunk. */
  #held = Buffer.alloc(0);
  #heldBytes = 0;
  #skipping = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes of a line whose end has not come. */
  get unfinishedBytes(): number {
    return this.#heldBytes;
  }

  push(chunk: Uint8Array): void {
    const rest = this.#chunk.subarray(this.#at);
    this.#chunk = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    this.#at = 0;
  }

  /** The next whole line without its end, valid until the next call; undefined: it needs more bytes. */
  next(): Uint8Array | 'too-long' | undefined {
    while (this.#at < this.#chunk.length) {
      const end = this.#chunk.indexOf(newline, this.#at);
      const piece = this.#chunk.subarray(this.#at, end < 0 ? this.#chunk.length : end);
      this.#at += piece.length + (end < 0 ? 0 : 1);
      if (this.#skipping) {
        this.#skipping = end < 0;
        continue;
      }
      if (this.#heldBytes + piece.length > this.#maxBytes) {
        this.#release();
        this.#skipping = end < 0;
        return 'too-long';
      }
      if (end < 0) {
        this.#hold(piece);
        return undefined;
      }
      if (this.#heldBytes === 0) return piece;
      this.#hold(piece);
      return this.#release();
    }
    return undefined;
  }

  #hold(piece: Uint8Array): void {
    const needed = this.#heldBytes + piece.length;
    if (needed > this.#held.length) {
      const size = Math.min(this.#maxBytes, Math.max(needed, 2 * this.#held.length, firstHeldBytes));
      const grown = Buffer.allocUnsafe(size);
      this.#held.copy(grown, 0, 0, this.#heldBytes);
      this.#held = grown;
    }
    this.#held.set(piece, this.#heldBytes);
    this.#heldBytes = needed;
  }

  #release(): Uint8Array {
    const line = this.#held.subarray(0, this.#heldBytes);
    this.#held = Buffer.alloc(0);
    this.#heldBytes = 0;
    return line;
  }
}
