import type { Lane, Row } from '../lane.ts';
import { maxTimestampMs } from '../limit.ts';
import { ProtocolError } from '../protocol-error.ts';
import { batchFlags, groupsOf, rememberTimes, timeCells, timeChain } from './batch-encoder.ts';
import { BodyReader } from './body-reader.ts';
import { ColumnReader } from './column-reader.ts';
import type { Group } from './group-column.ts';
import { GroupReader } from './group-reader.ts';
import { maxBatchPayloadBytes, maxBatchRows } from './limit.ts';
import type { LinkState } from './link-state.ts';
import { RangeDecoder } from './range-coder.ts';
import { readHead } from './residual-reader.ts';
import type { Stream } from './stream-table.ts';

/** Buffers of the decoder, without memory from one batch to the next: connections of one thread may share it. */
export class BatchDecoderWorkspace {
  readonly columns = new ColumnReader();
  readonly groups = new GroupReader();
}

export class BatchDecoder {
  readonly #state: LinkState;
  readonly #workspace: BatchDecoderWorkspace;

  constructor(state: LinkState, workspace: BatchDecoderWorkspace = new BatchDecoderWorkspace()) {
    this.#state = state;
    this.#workspace = workspace;
  }

  /**
   * The rows of a BATCH body. Payloads share buffers that are theirs alone, or are views of `body` (opaque ones).
   * Throws ProtocolError and nothing else; the state is of no use after that.
   */
  decode(body: Uint8Array): { lane: Lane; rows: Row[] } {
    const outer = new BodyReader(body);
    const first = outer.byte();
    if (first > (batchFlags.laneMask | batchFlags.range)) throw new ProtocolError('value', `batch flags ${first}`);
    const count = outer.varint(maxBatchRows);
    if (count === 0) throw new ProtocolError('value', 'a batch without rows');
    const usesRange = (first & batchFlags.range) !== 0;
    const rangeBytes = usesRange ? outer.varint(body.length) : 0;
    if (usesRange && (rangeBytes === 0 || rangeBytes > outer.remaining)) {
      throw new ProtocolError('frame-short', 'the range coder’s bytes are not there');
    }
    const decoder = usesRange ? new RangeDecoder(body.subarray(body.length - rangeBytes)) : undefined;
    const reader = new BodyReader(outer.bytes(outer.remaining - rangeBytes));
    const rows = this.#rows(reader, count, decoder);
    reader.end();
    decoder?.end();
    return { lane: (first & batchFlags.laneMask) as Lane, rows };
  }

  #rows(reader: BodyReader, count: number, decoder: RangeDecoder | undefined): Row[] {
    const { streams, owner } = this.#streams(reader, count);
    const times = this.#times(reader, streams, owner);
    const payloads: Uint8Array[] = Array.from({ length: count });
    let payloadBytes = 0;
    for (const part of groupsOf(streams, owner)) {
      const group = (): Group => ({ memory: this.#state.knownSchema(part.schema), streams: part.streams });
      const decoded = this.#workspace.groups.read(reader, group, part.owner, part.rows.length, decoder);
      decoded.forEach((payload, n) => {
        payloads[part.rows[n]!] = payload;
        payloadBytes += payload.length;
      });
      if (payloadBytes > maxBatchPayloadBytes) {
        throw new ProtocolError('value', 'the payloads of a batch are too many', {
          expected: `at most ${maxBatchPayloadBytes}`,
        });
      }
    }
    return payloads.map((payload, i) => {
      const { type, key, schema } = streams[owner[i]!]!;
      return { type, key, timestampMs: times[i]!, schema, payload };
    });
  }

  #streams(reader: BodyReader, count: number): { streams: Stream[]; owner: Int32Array } {
    const table = this.#state.streams;
    const definitions = reader.varint(count);
    for (let n = 0; n < definitions; n += 1) table.readDefinition(reader);
    const { columns } = this.#workspace;
    const head = readHead(reader, false);
    if (head.predictor !== 0) throw new ProtocolError('value', `predictor ${head.predictor} of slots`);
    columns.read(reader, head, count, undefined, undefined);
    const { residuals } = columns;
    const streams: Stream[] = [];
    const owner = new Int32Array(count);
    const locals = new Map<number, number>();
    for (let i = 0; i < count; i += 1) {
      const slot = table.expected + residuals[i]!;
      let local = locals.get(slot);
      if (local === undefined) {
        local = streams.length;
        locals.set(slot, local);
        streams.push(table.at(slot));
      }
      owner[i] = local;
      table.follow(slot);
    }
    return { streams, owner };
  }

  #times(reader: BodyReader, streams: readonly Stream[], owner: Int32Array): Float64Array {
    const { columns } = this.#workspace;
    const head = readHead(reader, false);
    columns.read(reader, head, owner.length, undefined, undefined);
    const chain = timeChain(streams, owner);
    const cells = timeCells(this.#state, streams, chain);
    const isExact = columns.restore(cells, chain, head);
    const times = cells.subarray(chain.offset);
    if (!isExact || !times.every((time) => time >= 0 && time <= maxTimestampMs)) {
      throw new ProtocolError('value', 'a time is out of range');
    }
    rememberTimes(this.#state, streams, chain, cells);
    return times;
  }
}
