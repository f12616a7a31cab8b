/**
 * Where the blocks of the old bytes are, by a rolling hash: the hash of the target moves on byte by byte, the blocks of
 * the source lie beside each other (as rsync and bsdiff's relatives do it).
 */
const factor = 0x08088405;
/** Slots of the table at the most: 64 MiB of memory, and 256 MiB of source at the finest block. */
const maxSlots = 1 << 24;
const finestBlock = 16;

export class BlockIndex {
  /** Bytes of a block: what is shorter than two of them may be missed. */
  readonly blockBytes: number;
  readonly #source: Uint8Array;
  /** By hash: block number + 1; 0 is empty. The first of equal blocks stays, so that runs begin at their beginning. */
  readonly #slots: Int32Array;
  readonly #shift: number;
  readonly #leaving: number;

  constructor(source: Uint8Array) {
    let blockBytes = finestBlock;
    while (source.length / blockBytes > maxSlots / 2) blockBytes *= 2;
    this.blockBytes = blockBytes;
    this.#source = source;
    const bits = Math.max(8, Math.min(24, Math.ceil(Math.log2(source.length / blockBytes + 1)) + 1));
    this.#slots = new Int32Array(1 << bits);
    this.#shift = 32 - bits;
    let leaving = 1;
    for (let index = 0; index < blockBytes; index++) leaving = Math.imul(leaving, factor);
    this.#leaving = leaving;
    const count = Math.floor(source.length / blockBytes);
    for (let block = 0; block < count; block++) {
      const slot = this.#slotOf(this.hash(source, block * blockBytes));
      if (this.#slots[slot] === 0) this.#slots[slot] = block + 1;
    }
  }

  /** The hash of the block that begins at `at`. */
  hash(bytes: Uint8Array, at: number): number {
    let hash = 0;
    for (let index = at; index < at + this.blockBytes; index++)
      hash = (Math.imul(hash, factor) + bytes[index]! + 1) | 0;
    return hash;
  }

  /** The hash of the block that begins one byte later than the one of `hash`, at `at`. */
  roll(hash: number, bytes: Uint8Array, at: number): number {
    const arriving = bytes[at + this.blockBytes]! + 1;
    return (Math.imul(hash, factor) + arriving - Math.imul(bytes[at]! + 1, this.#leaving)) | 0;
  }

  /** Where the source may have the block of this hash; -1 when it has not. */
  find(hash: number): number {
    const block = this.#slots[this.#slotOf(hash)]!;
    return block === 0 ? -1 : (block - 1) * this.blockBytes;
  }

  get source(): Uint8Array {
    return this.#source;
  }

  /** The upper bits of a product depend on all of its factors' bits. */
  #slotOf(hash: number): number {
    return Math.imul(hash ^ (hash >>> 15), 0x9e3779b1) >>> this.#shift;
  }
}
