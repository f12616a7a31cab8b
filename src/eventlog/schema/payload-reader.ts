import { Buffer } from 'node:buffer';
import type avro from 'avsc';
import { exactType } from './compile-schema.ts';
import type { Json } from './event-schema.ts';
import { checkPayload } from './payload-bound.ts';
import { jsonOf } from './payload-json.ts';

/** A schema that payloads are read with; `sha256` names it in the cache. */
export interface ReaderSchema {
  sha256: string;
  type: string;
  text: string;
}

/** What is known of schemas now. */
export interface SchemaSource {
  /** The one whose bytes have this fingerprint. */
  writer(fingerprint: string): ReaderSchema | undefined;
  /** The newest of this event type that an operator has registered. */
  newest(type: string): ReaderSchema | undefined;
}

/** In place of a payload that can't be read: its bytes, and why. */
export interface UnreadPayload {
  schema: string;
  base64: string;
  error: string;
}

/** Types and resolvers of this many schemas are kept; of them the one made first goes first. */
const maxKept = 256;

/** Reads Avro payloads of events at the time of reading, so that a mended schema mends what lies in the log. */
export class PayloadReader {
  readonly #source: SchemaSource;
  readonly #types = new Map<string, avro.Type>();
  readonly #resolvers = new Map<string, avro.Resolver | Error>();

  constructor(source: SchemaSource) {
    this.#source = source;
  }

  /**
   * The payload as the newest registered schema of its type has it, or as its writer had it. Never throws.
   * @param fingerprint of the writer's schema, 16 hex digits
   */
  read(fingerprint: string, payload: Uint8Array, asWritten = false): unknown {
    try {
      const writer = this.#source.writer(fingerprint);
      if (writer === undefined) throw new RangeError('the schema is not known (yet)');
      const reader = (asWritten ? undefined : this.#source.newest(writer.type)) ?? writer;
      const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
      const writerType = this.#type(writer);
      checkPayload(writerType, bytes);
      if (reader.sha256 === writer.sha256) return jsonOf(writerType, writerType.fromBuffer(bytes));
      const readerType = this.#type(reader);
      return jsonOf(readerType, readerType.fromBuffer(bytes, this.#resolver(reader, writer)));
    } catch (error) {
      const base64 = Buffer.from(payload).toString('base64');
      return { schema: fingerprint, base64, error: messageOf(error) } satisfies UnreadPayload;
    }
  }

  #type(schema: ReaderSchema): avro.Type {
    return kept(this.#types, schema.sha256, () => exactType(JSON.parse(schema.text) as Json));
  }

  /** A pair that does not resolve is remembered as well. */
  #resolver(reader: ReaderSchema, writer: ReaderSchema): avro.Resolver {
    const resolver = kept(this.#resolvers, `${reader.sha256}:${writer.sha256}`, () => {
      try {
        return this.#type(reader).createResolver(this.#type(writer));
      } catch (error) {
        return new Error(`the newest schema of ${writer.type} can't read it: ${messageOf(error)}`);
      }
    });
    if (resolver instanceof Error) throw resolver;
    return resolver;
  }
}

function kept<T>(cache: Map<string, T>, key: string, make: () => T): T {
  const known = cache.get(key);
  if (known !== undefined) return known;
  const made = make();
  if (cache.size >= maxKept) cache.delete(cache.keys().next().value!);
  cache.set(key, made);
  return made;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
