/** Appends bits, lowest first, to bytes that fill from their lowest bit. */
export class BitWriter {
  #buffer = new Uint8Array(64);
  #length = 0;
  #pending = 0;
  #pendingBits = 0;

  clear(): void {
    this.#length = 0;
    this.#pending = 0;
    this.#pendingBits = 0;
  }

  /** `value` below 2^width, width 0 to 52. */
  bits(value: number, width: number): void {
    if (width <= 24) {
      this.#few(value, width);
    } else {
      this.#few(value % 0x100_0000, 24);
      const rest = Math.floor(value / 0x100_0000);
      if (width <= 48) {
        this.#few(rest, width - 24);
      } else {
        this.#few(rest % 0x100_0000, 24);
        this.#few(Math.floor(rest / 0x100_0000), width - 48);
      }
    }
  }

  /** `count` ones (at most 24), then a zero. */
  unary(count: number): void {
    if (count < 24) {
      this.#few((1 << count) - 1, count + 1);
    } else {
      this.#few(0xff_ffff, 24);
      this.#few(0, 1);
    }
  }

  ones(count: number): void {
    this.bits(2 ** count - 1, count);
  }

  bytes(bytes: Uint8Array): void {
    for (const byte of bytes) this.#few(byte, 8);
  }

  /** For an attempt that may be taken back. */
  mark(): { length: number; pending: number; pendingBits: number } {
    return { length: this.#length, pending: this.#pending, pendingBits: this.#pendingBits };
  }

  rollBack(mark: { length: number; pending: number; pendingBits: number }): void {
    this.#length = mark.length;
    this.#pending = mark.pending;
    this.#pendingBits = mark.pendingBits;
  }

  bytesSince({ length }: { length: number }): number {
    return this.#length - length;
  }

  /** What was written, its last byte filled with zero bits: a view that the next write may overwrite. */
  finish(): Uint8Array {
    if (this.#pendingBits > 0) this.#few(0, 8 - this.#pendingBits);
    return this.#buffer.subarray(0, this.#length);
  }

  #few(value: number, width: number): void {
    if (this.#length + 8 > this.#buffer.length) {
      const grown = new Uint8Array(this.#buffer.length * 2);
      grown.set(this.#buffer);
      this.#buffer = grown;
    }
    let pending = this.#pending | (value << this.#pendingBits);
    let bits = this.#pendingBits + width;
    while (bits >= 8) {
      this.#buffer[this.#length++] = pending & 0xff;
      pending >>>= 8;
      bits -= 8;
    }
    this.#pending = pending;
    this.#pendingBits = bits;
  }
}
