import { Buffer } from 'node:buffer';
import type { BatchDecoderWorkspace, BatchWorkspace, Packing } from '../protocol/columns/index.ts';
import type { Lane, Row } from '../protocol/lane.ts';
import type { Define, RowMessage } from '../protocol/message.ts';
import { RowDecoder, UnknownSchema } from '../protocol/row-decoder.ts';
import { RowEncoder } from '../protocol/row-encoder.ts';
import { noSchemas, type SchemaCatalogue } from '../protocol/schema-catalogue.ts';

export interface RowOption {
  /** Schemas whose rows travel in columns. */
  schemas?: SchemaCatalogue;
  /** Of those, the ones that the peer has to be told first; it knows the others. */
  untold?: ReadonlySet<bigint>;
  /** How this end writes batches when it shares no workspace. Default `range`. */
  packing?: Packing;
  /** Buffers that sessions of one thread share; the encoder's knows its packing. */
  workspace?: { encoder: BatchWorkspace; decoder: BatchDecoderWorkspace };
}

/** Rows of a session, to frames and back. The codecs are made with the first row: most of a large fleet is silent. */
export class RowFrames {
  readonly #option: RowOption;
  /** Both ends have `features.passingStreams`; said before the first row. */
  passing = false;
  #encoder: RowEncoder | undefined;
  #decoder: RowDecoder | undefined;

  constructor(option: RowOption) {
    this.#option = option;
  }

  /** The writing end, to be kept for the next session; undefined when nothing was written. */
  get encoder(): RowEncoder | undefined {
    return this.#encoder;
  }

  /** The reading end, likewise. */
  get decoder(): RowDecoder | undefined {
    return this.#decoder;
  }

  /** Before the first row: goes on from what an earlier session has left. */
  resume(ends: { encoder?: RowEncoder; decoder?: RowDecoder }): void {
    this.#encoder = ends.encoder;
    this.#decoder = ends.decoder;
  }

  /** One frame of rows, after the definitions that it needs; each is to be written before this returns. */
  encode(lane: Lane, rows: readonly Row[], say: (message: Define | RowMessage) => void): void {
    const { schemas = noSchemas, untold, packing, workspace } = this.#option;
    const encoder = (this.#encoder ??= new RowEncoder(schemas, untold, workspace?.encoder ?? packing, this.passing));
    let last: bigint | undefined;
    for (const { schema } of rows) {
      // Told once: asking again is answered with nothing.
      const define = schema === last ? undefined : encoder.schemas.tell(schema);
      if (define !== undefined) say(define);
      last = schema;
    }
    say(encoder.encode(lane, rows));
  }

  /** Throws ProtocolError; UnknownSchema is an answer: that schema has to be told first. */
  decode(message: RowMessage): { lane: Lane; rows: Row[] } | UnknownSchema {
    try {
      return this.#reader().decode(message);
    } catch (error) {
      if (error instanceof UnknownSchema) return error;
      throw error;
    }
  }

  define(message: Define): void {
    this.#reader().schemas.define(message);
  }

  #reader(): RowDecoder {
    const { schemas = noSchemas, workspace } = this.#option;
    return (this.#decoder ??= new RowDecoder(schemas, workspace?.decoder, this.passing));
  }
}

/** A fingerprint as it stands in the detail of NACK 2. */
export function schemaText(fingerprint: bigint): string {
  return fingerprint.toString(16).padStart(16, '0');
}

/** As it stands in HELLO: big-endian. */
export function tokenBytes(token: bigint): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(token);
  return bytes;
}
