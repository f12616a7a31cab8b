import { createHash } from 'node:crypto';
import { ByteWriter } from '../byte-writer.ts';
import { ProtocolError } from '../protocol-error.ts';
import { maxSchemas } from './limit.ts';
import { DictionaryShelf } from './dictionary.ts';
import { RunningMean, SchemaMemory } from './memory.ts';
import type { ColumnSchema } from './schema.ts';
import { StreamTable } from './stream-table.ts';

/**
 * The columns of a schema by its CRC-64-AVRO fingerprint. Both ends must answer alike for every schema that travels on
 * the connection: the sender names only those that it knows its peer to have.
 */
export type SchemaSource = (fingerprint: bigint) => ColumnSchema | undefined;

/** Rows came in the columns of a schema that is not known here: the direction can't be read on. */
export class UnknownSchema extends ProtocolError {
  readonly fingerprint: bigint;

  constructor(fingerprint: bigint) {
    super('schema', `schema ${fingerprint.toString(16).padStart(16, '0')} is not known here`);
    this.name = 'UnknownSchema';
    this.fingerprint = fingerprint;
  }
}

/** All that one direction of a connection remembers from row to row; the same on both ends after the same frames. */
export class LinkState {
  readonly streams = new StreamTable();
  /** Time of the last row of any stream. */
  clockMs = 0;
  /** Sizes of second differences of times, for single events. */
  readonly timeMean = new RunningMean();
  readonly #shelf = new DictionaryShelf();
  readonly #schemas = new Map<bigint, SchemaMemory>();
  readonly #source: SchemaSource;
  /** Do rows that pass (passing.ts) leave no stream behind? */
  readonly passing: boolean;

  constructor(source: SchemaSource, passing = false) {
    this.#source = source;
    this.passing = passing;
  }

  /** Undefined for JSON (0n), an unknown schema, and when too many schemas are remembered already. */
  schema(fingerprint: bigint): SchemaMemory | undefined {
    if (fingerprint === 0n) return undefined;
    const known = this.#schemas.get(fingerprint);
    if (known !== undefined) return known;
    if (this.#schemas.size >= maxSchemas) return undefined;
    const schema = this.#source(fingerprint);
    if (schema === undefined) return undefined;
    const memory = new SchemaMemory(schema, this.#shelf);
    this.#schemas.set(fingerprint, memory);
    return memory;
  }

  /** For rows that came in columns: the peer has them, so must we. */
  knownSchema(fingerprint: bigint): SchemaMemory {
    const known = this.schema(fingerprint);
    if (known === undefined) throw new UnknownSchema(fingerprint);
    return known;
  }

  /** About what it takes in memory: for whoever keeps many. */
  get heldBytes(): number {
    let bytes = this.streams.heldBytes + this.#shelf.bytes;
    for (const memory of this.#schemas.values()) bytes += memory.heldBytes;
    return bytes;
  }

  /**
   * 64 bits of SHA-256 over all that is remembered: equal on both ends after the same frames. Two ends that have kept
   * their states over a reconnect and whose tokens agree may go on without a cold start.
   */
  token(): bigint {
    const out = new ByteWriter(4096);
    this.streams.describe(out);
    out.varint(this.clockMs);
    out.byte(this.timeMean.count);
    out.uint64(BigInt(this.timeMean.sixteenths));
    for (const [fingerprint, memory] of [...this.#schemas].sort(([a], [b]) => (a < b ? -1 : 1))) {
      // Only the sender makes memories for schemas whose rows all travel opaque.
      if (memory.recent === undefined) continue;
      out.uint64(fingerprint);
      memory.describe(out);
    }
    if (this.passing) out.byte(1);
    return createHash('sha256').update(out.view()).digest().readBigUInt64BE();
  }
}
