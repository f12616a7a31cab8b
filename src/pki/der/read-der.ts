/**
 * DER (X.690) read one element at a time, by what the caller expects next. Nothing is copied, and nothing is entered
 * that was not asked for: a bomb of nested elements or an announced length of gigabytes costs one comparison.
 *
 *   tag     1 byte; numbers of 31 and more (a second byte) stand nowhere in X.509
 *   length  0..127 in one byte, or 0x81..0x84 and that many bytes, the fewest possible; never 0x80 (indefinite, BER)
 *   content as many bytes
 */
import { FlotillaError } from '../../error.ts';

export const DerTag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  objectId: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  visibleString: 0x1a,
  universalString: 0x1c,
  bmpString: 0x1e,
} as const;

/** The tag of `[number]` in ASN.1: constructed when it holds elements, primitive when it replaces a simple type. */
export function contextTag(number: number, constructed: boolean): number {
  return (constructed ? 0xa0 : 0x80) | number;
}

export interface DerElement {
  tag: number;
  content: Uint8Array;
  /** With tag and length: what a signature covers, and what compares byte for byte. */
  whole: Uint8Array;
}

export class DerReader {
  readonly #bytes: Uint8Array;
  readonly #what: string;
  #at = 0;

  /** @param what names the thing in errors: "the certificate" */
  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#what = what;
  }

  get ended(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** The tag of the next element; undefined at the end. */
  get nextTag(): number | undefined {
    return this.#bytes[this.#at];
  }

  /** Any element. */
  element(what: string): DerElement {
    const bytes = this.#bytes;
    const start = this.#at;
    const tag = bytes[start];
    const first = bytes[start + 1];
    if (tag === undefined || first === undefined) throw this.#malformed(what, 'the end of the data');
    if ((tag & 0x1f) === 0x1f) throw this.#malformed(what, `tag 0x${hex(tag)}, which X.509 does not use`);
    let at = start + 2;
    let length = first;
    if (first >= 0x80) {
      const count = first & 0x7f;
      if (count === 0 || count > 4) throw this.#malformed(what, `a length byte 0x${hex(first)}`);
      length = 0;
      for (let index = 0; index < count; index++) length = length * 256 + (bytes[at + index] ?? 0);
      at += count;
      if (length < 128 || (count > 1 && length < 256 ** (count - 1))) {
        throw this.#malformed(what, `length ${length} in more bytes than it needs`);
      }
    }
    if (at + length > bytes.length) {
      throw this.#malformed(what, `${length} bytes announced where ${Math.max(0, bytes.length - at)} are left`);
    }
    this.#at = at + length;
    return { tag, content: bytes.subarray(at, at + length), whole: bytes.subarray(start, at + length) };
  }

  /** The content of an element of this tag. */
  read(tag: number, what: string): Uint8Array {
    return this.readElement(tag, what).content;
  }

  readElement(tag: number, what: string): DerElement {
    const next = this.nextTag;
    if (next !== undefined && next !== tag) throw this.#malformed(what, `tag 0x${hex(next)} instead of 0x${hex(tag)}`);
    return this.element(what);
  }

  /** The content of an element of this tag when it comes next. */
  optional(tag: number, what: string): Uint8Array | undefined {
    return this.nextTag === tag ? this.element(what).content : undefined;
  }

  /** A reader inside the next element. */
  enter(tag: number, what: string): DerReader {
    return new DerReader(this.read(tag, what), this.#what);
  }

  /** One encoding for each value: whatever follows is an error. */
  end(what: string): void {
    if (!this.ended) throw this.#malformed(what, `${this.#bytes.length - this.#at} bytes behind its end`);
  }

  #malformed(what: string, seen: string): FlotillaError {
    return malformedDer(this.#what, what, seen);
  }
}

export function malformedDer(thing: string, part: string, seen: string): FlotillaError {
  return new FlotillaError('usage', 'pki-der-malformed', `${thing} is malformed at ${part}`, {
    seen,
    expected: 'DER as X.509 lays it down',
    suggestion: 'the file is damaged, cut off, or something else: take it again from where it was made',
  });
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
