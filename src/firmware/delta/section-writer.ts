/** Grows; integers are base 128, big-endian, high bit for "more" (RFC 3284, section 2). */
export class SectionWriter {
  #bytes = Buffer.allocUnsafe(4_096);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  integer(value: number): void {
    let digits = 1;
    for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) digits++;
    this.#reserve(digits);
    for (let at = this.#length + digits - 1, rest = value, more = 0; at >= this.#length; at--, more = 0x80) {
      this.#bytes[at] = (rest % 128) | more;
      rest = Math.floor(rest / 128);
    }
    this.#length += digits;
  }

  append(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** What was written, in memory of this writer. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#length + count, 2 * this.#bytes.length));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}
