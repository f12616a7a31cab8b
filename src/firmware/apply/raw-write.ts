import type { DiskCipher } from './disk-cipher.ts';
import { dataRuns, endingHole } from './file-run.ts';
import { blockBytes, type SegmentCache } from './segment-cache.ts';

export interface RawTarget {
  readonly cache: SegmentCache;
  /** Byte of the destination where the file begins: a block boundary. */
  readonly start: number;
  /** Alternating data and hole lengths. */
  readonly map: readonly number[];
  readonly cipher?: DiskCipher | undefined;
}

/**
 * Streams a resource to the destination. Holes leave it as it is, but a block that holds any data is completed with
 * zeros, and a hole at the end is marked by zeros in its last block, so that an image gets its full size. `data`
 * throws at its end if the resource is damaged.
 */
export async function writeRaw(
  target: RawTarget,
  data: AsyncIterable<Buffer>,
  onBytes: (count: number) => void,
): Promise<void> {
  const writer = new BlockWriter(target);
  for await (const { offset, bytes } of dataRuns(target.map, data)) {
    await writer.data(offset, bytes);
    onBytes(bytes.length);
  }
  const fileBytes = target.map.reduce((sum, length) => sum + length, 0);
  await writer.finish(fileBytes, endingHole(target.map));
}

/** Gathers bytes into whole blocks. */
class BlockWriter {
  readonly #target: RawTarget;
  /** Where the next byte goes: in the file, holes included. */
  #position = 0;
  /** What the block of `#position` has so far, from its first byte; written only if any of it is data. */
  #partial: Buffer = Buffer.alloc(0);
  #hasData = false;
  /** End of the last block that was written. */
  #writtenEnd = 0;

  constructor(target: RawTarget) {
    this.#target = target;
  }

  async data(offset: number, bytes: Buffer): Promise<void> {
    if (offset > this.#position) await this.#hole(offset - this.#position);
    const missing = this.#partial.length === 0 ? 0 : Math.min(blockBytes - this.#partial.length, bytes.length);
    if (missing > 0) {
      const block = Buffer.concat([this.#partial, bytes.subarray(0, missing)]);
      this.#partial = block;
      this.#hasData = true;
      this.#position += missing;
      if (block.length < blockBytes) return;
      await this.#write(this.#position - blockBytes, block);
    }
    const rest = bytes.subarray(missing);
    const whole = rest.length - (rest.length % blockBytes);
    if (whole > 0) await this.#write(this.#position, rest.subarray(0, whole));
    this.#partial = Buffer.from(rest.subarray(whole));
    this.#hasData = this.#partial.length > 0;
    this.#position += rest.length;
  }

  async finish(fileBytes: number, trailingHole: number): Promise<void> {
    await this.#complete();
    if (trailingHole === 0) return;
    const zerosStart = fileBytes - Math.min(trailingHole, blockBytes);
    const first = Math.max(Math.floor(zerosStart / blockBytes) * blockBytes, this.#writtenEnd);
    const end = Math.ceil(fileBytes / blockBytes) * blockBytes;
    if (end > first) await this.#write(first, Buffer.alloc(end - first));
  }

  async #hole(length: number): Promise<void> {
    if (this.#partial.length + length < blockBytes) {
      this.#partial = Buffer.concat([this.#partial, Buffer.alloc(length)]);
      this.#position += length;
      return;
    }
    await this.#complete();
    this.#position += length;
    this.#partial = Buffer.alloc(this.#position % blockBytes);
  }

  async #complete(): Promise<void> {
    if (!this.#hasData) return;
    const block = Buffer.alloc(blockBytes);
    this.#partial.copy(block);
    await this.#write(this.#position - this.#partial.length, block);
    this.#hasData = false;
  }

  async #write(offset: number, bytes: Buffer): Promise<void> {
    const { cache, start, cipher } = this.#target;
    const stored = cipher ? cipher.encrypt(bytes, offset / blockBytes) : bytes;
    await cache.write(start + offset, stored, true);
    this.#writtenEnd = offset + bytes.length;
  }
}
