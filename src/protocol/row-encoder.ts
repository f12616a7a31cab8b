import {
  BatchEncoder,
  type BatchWorkspace,
  defaultPacking,
  EventEncoder,
  LinkState,
  type Packing,
} from './columns/index.ts';
import type { Lane, Row } from './lane.ts';
import type { RowMessage } from './message.ts';
import { SchemaSet, type SchemaCatalogue } from './schema-catalogue.ts';

/** Alone, payloads without columns go in a batch from here on: it compresses. */
const minCompressedBytes = 256;

/** Rows to the bodies of their frames: the writing end of one direction of a connection. */
export class RowEncoder {
  readonly schemas: SchemaSet;
  readonly #state: LinkState;
  readonly #events: EventEncoder;
  readonly #batches: BatchEncoder;

  constructor(
    catalogue: SchemaCatalogue,
    untold?: ReadonlySet<bigint>,
    packing: Packing | BatchWorkspace = defaultPacking,
    passing = false,
  ) {
    this.schemas = new SchemaSet(catalogue, untold);
    this.#state = new LinkState((fingerprint) => this.schemas.columns(fingerprint), passing);
    this.#events = new EventEncoder(this.#state);
    this.#batches = new BatchEncoder(this.#state, packing);
  }

  /**
   * One frame for all of `rows`, which has to be sent, in this order. Its body may be a view that the next row of any
   * encoder overwrites.
   */
  encode(lane: Lane, rows: readonly Row[]): RowMessage {
    const [row] = rows;
    const alone = rows.length === 1 && row !== undefined;
    if (alone && (row.payload.length < minCompressedBytes || this.schemas.columns(row.schema) !== undefined)) {
      return { type: 'event', body: this.#events.encode(lane, row) };
    }
    return { type: 'batch', body: this.#batches.encode(lane, rows) };
  }

  /** Of all that this end remembers: the other end's is the same when every frame has arrived. */
  token(): bigint {
    return this.#state.token();
  }
}
