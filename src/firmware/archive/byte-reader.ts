import { malformed } from './malformed.ts';

/** Takes exact counts of bytes from a stream of chunks. Holds one chunk plus what a caller asked for. */
export class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #pending: Buffer = Buffer.alloc(0);
  #ended = false;
  /** Bytes taken so far. */
  offset = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#chunks = source[Symbol.asyncIterator]();
  }

  /** The next 1 to `max` bytes, or undefined at the end. */
  async some(max: number): Promise<Buffer | undefined> {
    await this.#fill(1);
    if (this.#pending.length === 0) return undefined;
    return this.#take(Math.min(max, this.#pending.length));
  }

  /** Exactly `count` bytes (small counts: they are held in memory). Throws when the archive ends before. */
  async exactly(count: number, what: string): Promise<Buffer> {
    await this.#fill(count);
    if (this.#pending.length < count) throw malformed(`the archive ends inside ${what}`);
    return this.#take(count);
  }

  /** Up to `count` bytes without taking them; fewer only at the end. */
  async peek(count: number): Promise<Buffer> {
    await this.#fill(count);
    return this.#pending.subarray(0, count);
  }

  /** Gives back the end of what `some` returned. */
  unread(bytes: Buffer): void {
    this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([bytes, this.#pending]);
    this.offset -= bytes.length;
  }

  /** Lets the source go (closes a file, destroys a stream). */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  #take(count: number): Buffer {
    const bytes = this.#pending.subarray(0, count);
    this.#pending = this.#pending.subarray(count);
    this.offset += count;
    return bytes;
  }

  async #fill(count: number): Promise<void> {
    while (this.#pending.length < count && !this.#ended) {
      const { value, done } = await this.#chunks.next();
      if (done) this.#ended = true;
      else {
        const chunk = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
        this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
      }
    }
  }
}
