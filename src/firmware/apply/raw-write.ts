import { blockBytes, type SegmentCache } from './segment-cache.ts';

/**
 * Streams a resource to byte `start`. `map` holds alternating data and hole lengths: holes leave the destination as
 * it is, but a block that holds any data is completed with zeros, and a hole at the end is marked by zeros in its
 * last block, so that an image gets its full size. `data` throws at its end if the resource is damaged.
 */
export async function writeRaw(
  cache: SegmentCache,
  start: number,
  map: readonly number[],
  data: AsyncIterable<Buffer>,
  onBytes: (count: number) => void,
): Promise<void> {
  const writer = new BlockWriter(cache, start);
  const runs = [...map];
  let run = 0;
  const skipToData = async (): Promise<void> => {
    for (; run + 1 < runs.length && runs[run] === 0; run += 2) await writer.hole(runs[run + 1]!);
  };
  for await (const chunk of data) {
    for (let at = 0; at < chunk.length;) {
      await skipToData();
      const count = Math.min(chunk.length - at, runs[run]!);
      await writer.data(chunk.subarray(at, at + count));
      runs[run]! -= count;
      at += count;
    }
    onBytes(chunk.length);
  }
  await skipToData();
  await writer.finish(map.length % 2 === 0 ? (map.at(-1) ?? 0) : 0);
}

/** Gathers bytes into whole blocks. */
class BlockWriter {
  readonly #cache: SegmentCache;
  readonly #start: number;
  /** In the file: data and holes. */
  #position = 0;
  /** What the block of `#position` has so far, from its first byte; written only if any of it is data. */
  #partial: Buffer = Buffer.alloc(0);
  #hasData = false;
  /** End of the last block that was written. */
  #writtenEnd = 0;

  constructor(cache: SegmentCache, start: number) {
    this.#cache = cache;
    this.#start = start;
  }

  async data(bytes: Buffer): Promise<void> {
    const all = this.#partial.length === 0 ? bytes : Buffer.concat([this.#partial, bytes]);
    const whole = all.length - (all.length % blockBytes);
    if (whole > 0) await this.#write(this.#position - this.#partial.length, all.subarray(0, whole));
    this.#partial = Buffer.from(all.subarray(whole));
    this.#hasData = this.#partial.length > 0;
    this.#position += bytes.length;
  }

  async hole(length: number): Promise<void> {
    if (this.#partial.length + length < blockBytes) {
      this.#partial = Buffer.concat([this.#partial, Buffer.alloc(length)]);
      this.#position += length;
      return;
    }
    await this.#complete();
    this.#position += length;
    this.#partial = Buffer.alloc(this.#position % blockBytes);
  }

  async finish(trailingHole: number): Promise<void> {
    await this.#complete();
    if (trailingHole === 0) return;
    const zerosStart = this.#position - Math.min(trailingHole, blockBytes);
    const first = Math.max(Math.floor(zerosStart / blockBytes) * blockBytes, this.#writtenEnd);
    const end = Math.ceil(this.#position / blockBytes) * blockBytes;
    if (end > first) await this.#write(first, Buffer.alloc(end - first));
  }

  async #complete(): Promise<void> {
    if (!this.#hasData) return;
    const block = Buffer.alloc(blockBytes);
    this.#partial.copy(block);
    await this.#write(this.#position - this.#partial.length, block);
    this.#hasData = false;
  }

  async #write(offset: number, bytes: Buffer): Promise<void> {
    await this.#cache.write(this.#start + offset, bytes, true);
    this.#writtenEnd = offset + bytes.length;
  }
}
