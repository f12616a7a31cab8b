import type { TransformOptions } from 'node:stream';
import { createInflateRaw, type ZlibOptions } from 'node:zlib';
import type { ByteReader } from './byte-reader.ts';
import { MemberDamage } from './malformed.ts';
import { YoungBuffers } from './young-buffer.ts';

/**
 * fwup reads files 16 KiB at a time and inflates each piece into at most 256 KiB at once; what it reports of its
 * progress comes in these steps, so the beginning of a member is cut the same way. Behind it larger pieces are faster.
 */
const fwupStepBytes = 16 * 1024;
const stepBytes = 512 * 1024;
const cutLikeFwupBytes = 1024 * 1024;
const outputBytes = 256 * 1024;
/** At most four pieces of output wait to be taken (a few bytes of input can grow to any size), unjoined. */
const option: ZlibOptions & TransformOptions = {
  chunkSize: outputBytes,
  readableObjectMode: true,
  readableHighWaterMark: 4,
};

/**
 * Inflates from `reader` up to the end of the deflate stream and gives back what lies behind it, so the compressed
 * size need not be known. `maxCompressedBytes` bounds the input where the header names it. Returns the bytes used.
 */
export async function* inflateFrom(reader: ByteReader, maxCompressedBytes: number): AsyncGenerator<Buffer, number> {
  const inflater = new Inflater(reader, maxCompressedBytes);
  const young = new YoungBuffers();
  try {
    while (!inflater.ended && inflater.consumed < cutLikeFwupBytes) {
      const pieces: Buffer[] = [];
      for await (const piece of inflater.outputOf(inflater.step(fwupStepBytes))) pieces.push(piece);
      yield* inPieces(pieces);
    }
    for await (const piece of inflater.outputOf(inflater.run())) {
      young.made(piece.length);
      yield piece;
    }
    return inflater.consumed;
  } finally {
    await inflater.close();
  }
}

/** zlib's stream, which works on the next input while its output so far is taken. */
class Inflater {
  readonly #reader: ByteReader;
  readonly #maxCompressedBytes: number;
  readonly #stream = createInflateRaw(option);
  #feeding: Promise<void> = Promise.resolve();
  #failure: Error | undefined;
  /** Called when there may be something new: output, an end, input that was taken. */
  #wake: () => void = () => undefined;
  consumed = 0;
  /** Whether the deflate stream is over; sizes and CRC tell whether it was all. */
  ended = false;

  constructor(reader: ByteReader, maxCompressedBytes: number) {
    this.#reader = reader;
    this.#maxCompressedBytes = maxCompressedBytes;
    this.#stream.on('readable', () => this.#wake());
    this.#stream.on('error', (error) => (this.#failure = error));
  }

  /** Feeds one piece of input up to the next multiple of `size`; resolves when its output is there or taken. */
  async step(size: number): Promise<void> {
    const wanted = size - (this.#reader.offset % size);
    const input = await this.#reader.some(Math.min(wanted, this.#maxCompressedBytes - this.consumed));
    if (input === undefined) {
      throw new MemberDamage('the archive ends inside the compressed data', 'ZIP decompression failed (-5)');
    }
    await new Promise<void>((resolve) => {
      this.#stream.once('close', resolve); // after an error or the end the callback of write is not certain
      this.#stream.write(input, () => {
        this.#stream.off('close', resolve);
        resolve();
      });
    });
    if (this.#failure) {
      throw new MemberDamage(`decompression failed (${this.#failure.message})`, 'ZIP decompression failed (-3)');
    }
    const used = this.#stream.bytesWritten - this.consumed; // counts what the stream took, not what it was given
    this.consumed += used;
    this.ended = used < input.length || this.consumed === this.#maxCompressedBytes;
    if (used < input.length) this.#reader.unread(input.subarray(used));
  }

  /** Feeds all there is. */
  async run(): Promise<void> {
    while (!this.ended && !this.#stream.destroyed) await this.step(stepBytes);
  }

  /** What comes out until `feeding` is through; throws what that throws, behind the output before it. */
  async *outputOf(feeding: Promise<void>): AsyncGenerator<Buffer, void> {
    let isFed = false;
    this.#feeding = feeding.finally(() => {
      isFed = true;
      this.#wake();
    });
    this.#feeding.catch(() => undefined); // told at the end
    for (;;) {
      const wasFed = isFed;
      const woken = new Promise<void>((resolve) => (this.#wake = resolve));
      const piece = this.#stream.read() as Buffer | null;
      if (piece !== null) yield piece;
      else if (wasFed) break;
      else if (!isFed) await woken;
    }
    await this.#feeding;
  }

  /** Returns when it does not touch the reader any more. */
  async close(): Promise<void> {
    this.#stream.destroy();
    await this.#feeding.catch(() => undefined);
  }
}

/** What one piece of input gave, in pieces of `outputBytes` and a rest: the stream may have cut it elsewhere. */
function* inPieces(chunks: readonly Buffer[]): Generator<Buffer> {
  const total = chunks.reduce((sum, { length }) => sum + length, 0);
  if (chunks.length < 2 || (chunks.length === 2 && total > outputBytes && chunks[0]!.length === outputBytes)) {
    yield* chunks;
    return;
  }
  const all = Buffer.concat(chunks);
  for (let at = 0; at < all.length; at += outputBytes) yield all.subarray(at, at + outputBytes);
}
