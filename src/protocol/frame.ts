import type { ByteWriter } from './byte-writer.ts';
import { chunkBytes, maxDefineBytes, maxFrameBytes } from './limit.ts';
import { ProtocolError } from './protocol-error.ts';

/**
 * A frame is a header and a body. Byte 0 of the header is `type << 4 | L`:
 *
 *     L 0..12  the body has L bytes
 *     L 13     one more byte n: the body has 13 + n bytes (13 to 268)
 *     L 14     u16, big-endian: 269 to 65,535
 *     L 15     u32, big-endian: 65,536 to the type's limit
 *
 * A length has one form only. D = device, C = coordinator.
 */
export const FrameType = {
  hello: 1, //   D→C  who I am, where my logs stand; the first frame of a connection
  welcome: 2, // D←C  where yours stand with me; from now on the rest may travel
  reject: 3, //  D←C  instead of WELCOME: why not, when to try again
  event: 4, //   both a row of a lane: an event (D→C) or a request (D←C)
  batch: 5, //   both rows of a lane, in columns
  ack: 6, //     both so many more sequence numbers of a lane are on my disk
  nack: 7, //    both this row will not be, and why
  ping: 8, //    both answered by PONG; a device may add how long it will be silent
  pong: 9, //    both no body
  define: 10, // both a schema of rows to come
  gap: 11, //    both the next row of this lane leaves out so many numbers, and why
  credit: 12, // D←C  CREDIT, PAUSE, OPEN: how much may be sent
  chunk: 13, //  both parts of blobs: WANT, DATA, TOOK, REFUSED, CANCEL
  goaway: 14, // both the last frame: why, when to come back
  ext: 15, //    reserved: the body starts with a varint type
} as const;
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

/** The largest body of each type that version 1 speaks. A type that is not here is a protocol error. */
export const maxBodyBytes: Readonly<Partial<Record<number, number>>> = {
  [FrameType.hello]: 8_192, // extensions leave room for the versions to come
  [FrameType.welcome]: 8_192,
  [FrameType.reject]: 128,
  [FrameType.event]: maxFrameBytes,
  [FrameType.batch]: maxFrameBytes,
  [FrameType.ack]: 8,
  [FrameType.nack]: 128,
  [FrameType.ping]: 8,
  [FrameType.pong]: 0,
  [FrameType.define]: maxDefineBytes,
  [FrameType.gap]: 9,
  [FrameType.credit]: 9,
  [FrameType.chunk]: chunkBytes + 16,
  [FrameType.goaway]: 128,
};

export interface Frame {
  type: FrameType;
  /** A view of the received bytes where they came in one piece: copy what outlives the next read. */
  body: Uint8Array;
}

export function writeFrame(writer: ByteWriter, type: FrameType, body: Uint8Array): void {
  const { length } = body;
  if (length < 13) {
    writer.byte((type << 4) | length);
  } else if (length < 269) {
    writer.byte((type << 4) | 13);
    writer.byte(length - 13);
  } else if (length < 65_536) {
    writer.byte((type << 4) | 14);
    writer.uint16(length);
  } else {
    writer.byte((type << 4) | 15);
    writer.uint32(length);
  }
  writer.bytes(body);
}

const nothing = new Uint8Array(0);

const lengthBytes = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4];

/**
 * Cuts a byte stream into frames. `allow` says how long a body of a type may be now (undefined: not at all) and is
 * asked as soon as the header is whole, before anything of the body is kept.
 */
export class FrameDecoder {
  readonly #allow: (type: number) => number | undefined;
  readonly #header = new Uint8Array(5);
  #headerBytes = 0;
  /** -1 while the header is not whole. */
  #bodyBytes = -1;
  /** Grows as bytes come, never ahead of them by more than their number. */
  #partial: Uint8Array<ArrayBuffer> = nothing;
  #partialBytes = 0;

  constructor(allow: (type: number) => number | undefined = (type) => maxBodyBytes[type]) {
    this.#allow = allow;
  }

  /** Bytes that wait for the rest of their frame. */
  get bufferedBytes(): number {
    return this.#headerBytes + this.#partialBytes;
  }

  /** Throws ProtocolError at the first frame that may not be; the decoder is of no use after that. */
  *push(chunk: Uint8Array): Generator<Frame, void, void> {
    let at = 0;
    while (at < chunk.length) {
      if (this.#bodyBytes < 0) {
        this.#header[this.#headerBytes++] = chunk[at++]!;
        this.#bodyBytes = this.#readHeader();
        if (this.#bodyBytes < 0) continue;
      }
      const missing = this.#bodyBytes - this.#partialBytes;
      const part = chunk.subarray(at, at + missing);
      at += part.length;
      if (part.length === this.#bodyBytes) {
        yield this.#finish(part);
      } else {
        this.#keep(part);
        if (part.length === missing) yield this.#finish(this.#partial.subarray(0, this.#bodyBytes));
      }
    }
  }

  #keep(part: Uint8Array): void {
    const needed = this.#partialBytes + part.length;
    if (needed > this.#partial.length) {
      const grown = new Uint8Array(Math.min(this.#bodyBytes, Math.max(needed, this.#partial.length * 2)));
      grown.set(this.#partial.subarray(0, this.#partialBytes));
      this.#partial = grown;
    }
    this.#partial.set(part, this.#partialBytes);
    this.#partialBytes = needed;
  }

  /** The body's length, or -1 when the header needs another byte. */
  #readHeader(): number {
    const [first = 0, b1 = 0, b2 = 0, b3 = 0, b4 = 0] = this.#header;
    const type = first >> 4;
    const form = first & 0x0f;
    if (this.#headerBytes === 1) {
      if (maxBodyBytes[type] === undefined)
        throw new ProtocolError('frame-type', `frame type ${type} is not spoken here`);
      if (this.#allow(type) === undefined) throw new ProtocolError('frame-type', `frame type ${type} may not come now`);
    }
    if (this.#headerBytes < 1 + lengthBytes[form]!) return -1;
    let length = form;
    if (form === 13) length = 13 + b1;
    else if (form === 14) length = (b1 << 8) | b2;
    else if (form === 15) length = b1 * 0x1000000 + ((b2 << 16) | (b3 << 8) | b4);
    if ((form === 14 && length < 269) || (form === 15 && length < 65_536)) {
      throw new ProtocolError('frame-length', `length ${length} is not in its shortest form`);
    }
    const max = Math.min(this.#allow(type) ?? 0, maxBodyBytes[type] ?? 0);
    if (length > max) {
      throw new ProtocolError('frame-length', `frame of type ${type} has ${length} bytes`, {
        expected: `at most ${max}`,
      });
    }
    return length;
  }

  #finish(body: Uint8Array): Frame {
    const type = (this.#header[0]! >> 4) as FrameType;
    this.#partial = nothing; // the body is handed over: the next frame gets its own
    this.#partialBytes = 0;
    this.#headerBytes = 0;
    this.#bodyBytes = -1;
    return { type, body };
  }
}
