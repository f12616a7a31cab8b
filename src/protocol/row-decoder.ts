import { BatchDecoder, BatchDecoderWorkspace, EventDecoder, LinkState } from './columns/index.ts';
import type { Lane, Row } from './lane.ts';
import type { RowMessage } from './message.ts';
import { SchemaSet, type SchemaCatalogue } from './schema-catalogue.ts';

export { UnknownSchema } from './columns/index.ts';

/** The bodies of row frames to rows: the reading end of one direction of a connection. */
export class RowDecoder {
  readonly schemas: SchemaSet;
  readonly #state: LinkState;
  readonly #events: EventDecoder;
  readonly #batches: BatchDecoder;

  constructor(catalogue: SchemaCatalogue, workspace = new BatchDecoderWorkspace(), passing = false) {
    this.schemas = new SchemaSet(catalogue);
    this.#state = new LinkState((fingerprint) => this.schemas.columns(fingerprint), passing);
    this.#events = new EventDecoder(this.#state);
    this.#batches = new BatchDecoder(this.#state, workspace);
  }

  /** Payloads may be views of the frame. Throws ProtocolError; UnknownSchema when the schema has to be told first. */
  decode({ type, body }: RowMessage): { lane: Lane; rows: Row[] } {
    if (type === 'batch') return this.#batches.decode(body);
    const { lane, row } = this.#events.decode(body);
    return { lane, rows: [row] };
  }

  /** About what it takes in memory: for whoever keeps many. */
  get heldBytes(): number {
    return this.#state.heldBytes;
  }

  /** Of all that this end remembers: the other end's is the same when every frame has arrived. */
  token(): bigint {
    return this.#state.token();
  }
}

/** Of a body that can't be read: what it is about. */
export function laneOfBody(body: Uint8Array): Lane {
  return ((body[0] ?? 0) & 3) as Lane;
}
