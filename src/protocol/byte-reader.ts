import { Buffer } from 'node:buffer';
import { ProtocolError } from './protocol-error.ts';

/** Reads what ByteWriter wrote; every read is bounded by the buffer, and a value has one form only. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  byte(): number {
    const value = this.#bytes[this.#at];
    if (value === undefined) throw short();
    this.#at += 1;
    return value;
  }

  uint32(): number {
    if (this.remaining < 4) throw short();
    const [bytes, at] = [this.#bytes, this.#at];
    this.#at += 4;
    return bytes[at]! * 0x1000000 + ((bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!);
  }

  uint64(): bigint {
    const high = this.uint32();
    const low = this.uint32();
    // Rows without a schema say 0, and most numbers of 64 bits are theirs.
    return high === 0 && low === 0 ? 0n : (BigInt(high) << 32n) | BigInt(low);
  }

  /** 0 to `max`; refuses a longer form than needed. */
  varint(max: number = Number.MAX_SAFE_INTEGER): number {
    let value = 0;
    let scale = 1;
    for (let n = 0; n < 8; n += 1) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (byte === 0 && n > 0) throw new ProtocolError('varint', 'number is not in its shortest form');
        if (value > max)
          throw new ProtocolError('varint', 'number is too large', { seen: `${value}`, expected: `at most ${max}` });
        return value;
      }
      scale *= 0x80;
    }
    throw new ProtocolError('varint', 'number is longer than 8 bytes');
  }

  /** A view of the next `length` bytes. */
  bytes(length: number): Uint8Array {
    if (length > this.remaining) throw short();
    const view = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return view;
  }

  block(maxBytes: number): Uint8Array {
    return this.bytes(this.varint(maxBytes));
  }

  rest(): Uint8Array {
    return this.bytes(this.remaining);
  }

  text(maxBytes: number): string {
    return decodeText(this.block(maxBytes));
  }

  /** Text that runs to the end of the body. */
  restText(maxBytes: number): string {
    const bytes = this.rest();
    if (bytes.length > maxBytes)
      throw new ProtocolError('text', `text of ${bytes.length} bytes, expected at most ${maxBytes}`);
    return decodeText(bytes);
  }

  end(): void {
    if (this.remaining > 0) throw new ProtocolError('frame-trailing', `${this.remaining} bytes after the last field`);
  }
}

/** ignoreBOM keeps a leading U+FEFF: what was sent is what is read. It remembers nothing from one text to the next. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Names mostly: what starting a decoder costs is more than all of a short ASCII text. */
const maxShortBytes = 96;

export function decodeText(bytes: Uint8Array): string {
  if (bytes.length <= maxShortBytes && Buffer.isBuffer(bytes) && isAscii(bytes)) return bytes.toString('latin1');
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new ProtocolError('text', 'text is not UTF-8', { cause });
  }
}

function isAscii(bytes: Uint8Array): boolean {
  for (let n = 0; n < bytes.length; n += 1) if (bytes[n]! >= 0x80) return false;
  return true;
}

function short(): ProtocolError {
  return new ProtocolError('frame-short', 'the body ends inside a field');
}
