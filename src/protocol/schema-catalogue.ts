import { Buffer } from 'node:buffer';
import { avroFingerprint } from './avro-fingerprint.ts';
import { canonicalForm } from './canonical-form.ts';
import { columnSchema, maxSchemas, type ColumnSchema } from './columns/index.ts';
import { maxSchemaBytes } from './limit.ts';
import type { Define } from './message.ts';
import { ProtocolError } from './protocol-error.ts';

export interface KnownSchema {
  /** Avro, as JSON: what DEFINE tells. */
  text: string;
  /** Missing when it has none: arrays, maps and the like. */
  columns?: ColumnSchema;
}

/** Schemas that a process knows by CRC-64-AVRO fingerprint, for all of its connections. */
export type SchemaCatalogue = ReadonlyMap<bigint, KnownSchema>;

export const noSchemas: SchemaCatalogue = new Map();

/** Throws SyntaxError when `text` is no JSON. */
export function readSchema(text: string): KnownSchema {
  const columns = columnSchema(JSON.parse(text));
  return columns === undefined || Buffer.byteLength(text) > maxSchemaBytes ? { text } : { text, columns };
}

/** The schemas of one direction of a connection: the catalogue's, and those that DEFINE has told on it. */
export class SchemaSet {
  readonly #catalogue: SchemaCatalogue;
  readonly #untold: ReadonlySet<bigint>;
  /** Their columns alone: the text has done its work. */
  readonly #told = new Map<bigint, ColumnSchema | undefined>();

  /** @param untold those of the catalogue that hold only once they were told */
  constructor(catalogue: SchemaCatalogue, untold: ReadonlySet<bigint> = new Set()) {
    this.#catalogue = catalogue;
    this.#untold = untold;
  }

  columns(fingerprint: bigint): ColumnSchema | undefined {
    if (this.#told.has(fingerprint) || this.#untold.has(fingerprint)) return this.#told.get(fingerprint);
    return this.#catalogue.get(fingerprint)?.columns;
  }

  /** Takes up a DEFINE of the peer. */
  define({ fingerprint, text }: Define): void {
    if (this.#told.has(fingerprint)) throw new ProtocolError('schema', 'a schema that was told before');
    if (this.#told.size === maxSchemas) throw new ProtocolError('schema', `more than ${maxSchemas} schemas`);
    this.#told.set(fingerprint, toldColumns(fingerprint, text));
  }

  /** The DEFINE that has to go before rows of this schema, if any; without room for it they go as they are. */
  tell(fingerprint: bigint): Define | undefined {
    if (!this.#untold.has(fingerprint)) return undefined;
    const known = this.#catalogue.get(fingerprint);
    if (known?.columns === undefined || this.#told.has(fingerprint) || this.#told.size === maxSchemas) return undefined;
    this.#told.set(fingerprint, known.columns);
    return { type: 'define', fingerprint, text: known.text };
  }
}

/** What a peer tells must be the schema that it names. */
function toldColumns(fingerprint: bigint, text: string): ColumnSchema | undefined {
  let avro: unknown;
  try {
    avro = JSON.parse(text);
  } catch (cause) {
    throw new ProtocolError('schema', 'a schema is not JSON', { cause });
  }
  const found = fingerprintOf(avro);
  if (found !== fingerprint) {
    throw new ProtocolError('schema', `a schema of fingerprint ${hex(found)}`, { expected: hex(fingerprint) });
  }
  return columnSchema(avro);
}

/** JSON of a peer may be nested so deeply that the walk runs out of stack. */
function fingerprintOf(avro: unknown): bigint {
  try {
    return avroFingerprint(canonicalForm(avro));
  } catch (cause) {
    throw new ProtocolError('schema', 'a schema is nested too deeply', { cause });
  }
}

const hex = (fingerprint: bigint): string => fingerprint.toString(16).padStart(16, '0');
