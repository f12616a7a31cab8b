import { ByteWriter } from '../byte-writer.ts';
import { ProtocolError } from '../protocol-error.ts';
import { rowFault } from '../row-fault.ts';
import type { Lane, Row } from '../lane.ts';
import { Chain } from './chain.ts';
import { ColumnWriter } from './column-writer.ts';
import { GroupWriter } from './group-writer.ts';
import { maxBatchPayloadBytes, maxBatchRows } from './limit.ts';
import type { LinkState } from './link-state.ts';
import { RangeEncoder } from './range-coder.ts';
import type { Stream } from './stream-table.ts';

/** `pack`: bit packing and Rice codes, the fastest. `range`: the range coder where it is smaller, for links paid by the byte. */
export type Packing = 'pack' | 'range';

export const defaultPacking: Packing = 'range';

/** The first byte of a batch. */
export const batchFlags = { laneMask: 3, range: 4 } as const;

/**
 * Buffers and code of the encoder, without memory from one batch to the next: connections of one thread may share it.
 */
export class BatchWorkspace {
  readonly range: RangeEncoder | undefined;
  readonly columns: ColumnWriter;
  readonly groups: GroupWriter;
  readonly body = new ByteWriter(8192);
  readonly residuals = new Float64Array(maxBatchRows);

  constructor(packing: Packing) {
    this.range = packing === 'range' ? new RangeEncoder() : undefined;
    this.columns = new ColumnWriter(undefined);
    this.groups = new GroupWriter(this.range);
  }
}

/**
 * Rows to the bodies of BATCH frames:
 *
 *     u8 lane | 4 when the range coder was used · varint rows · [varint bytes of the range coder] ·
 *     varint definitions · definitions (stream-table.ts) · column of slots · column of times · groups ·
 *     [bytes of the range coder, to the end]
 */
export class BatchEncoder {
  readonly #state: LinkState;
  readonly #workspace: BatchWorkspace;

  constructor(state: LinkState, packing: Packing | BatchWorkspace = 'pack') {
    this.#state = state;
    this.#workspace = typeof packing === 'string' ? new BatchWorkspace(packing) : packing;
  }

  /**
   * 1 to 1,024 rows of one lane whose payloads have at most 4 MiB in all. A batch that is refused leaves the state as
   * it was; one that was encoded has to be sent, in this order.
   */
  encode(lane: Lane, rows: readonly Row[]): Uint8Array {
    refuseBadRows(rows);
    const { range, body } = this.#workspace;
    range?.clear();
    body.clear();
    const definitions = new ByteWriter(256);
    const { streams, owner, defined } = this.#streams(definitions, rows);
    this.#slots(body, streams, owner, rows.length);
    this.#times(body, rows, streams, owner);
    this.#groups(body, rows, streams, owner);
    const tail = range?.finish();
    const out = new ByteWriter(body.length + definitions.length + (tail?.length ?? 0) + 16);
    const usesRange = tail !== undefined && tail.length > 0;
    out.byte(lane | (usesRange ? batchFlags.range : 0));
    out.varint(rows.length);
    if (usesRange) out.varint(tail.length);
    out.varint(defined);
    out.bytes(definitions.view());
    out.bytes(body.view());
    if (usesRange) out.bytes(tail);
    return out.take();
  }

  /** The batch's streams in the order of their first rows; defines those that are new. */
  #streams(definitions: ByteWriter, rows: readonly Row[]): { streams: Stream[]; owner: Int32Array; defined: number } {
    const table = this.#state.streams;
    const owner = new Int32Array(rows.length);
    const names = new Map<string, number>();
    const found: { row: Row; stream: Stream | undefined }[] = [];
    let last: Row | undefined;
    let local = 0;
    rows.forEach((row, i) => {
      if (last === undefined || row.key !== last.key || row.type !== last.type || row.schema !== last.schema) {
        const name = `${row.schema}:${row.type.length}:${row.type}${row.key}`;
        const known = names.get(name);
        local = known ?? found.length;
        if (known === undefined) {
          names.set(name, local);
          found.push({ row, stream: table.find(row.type, row.key, row.schema) });
        }
        last = row;
      }
      owner[i] = local;
    });
    const defined = forgetOverwritten(table, found);
    const streams = found.map(({ row, stream }) => stream ?? table.define(definitions, row.type, row.key, row.schema));
    return { streams, owner, defined };
  }

  #slots(out: ByteWriter, streams: readonly Stream[], owner: Int32Array, length: number): void {
    const { residuals, columns } = this.#workspace;
    const table = this.#state.streams;
    for (let i = 0; i < length; i += 1) {
      const { slot } = streams[owner[i]!]!;
      residuals[i] = slot - table.expected;
      table.follow(slot);
    }
    columns.writeResiduals(out, residuals, length);
  }

  #times(out: ByteWriter, rows: readonly Row[], streams: readonly Stream[], owner: Int32Array): void {
    const chain = timeChain(streams, owner);
    const cells = timeCells(this.#state, streams, chain);
    for (let i = 0; i < rows.length; i += 1) cells[chain.offset + i] = rows[i]!.timestampMs;
    this.#workspace.columns.write(out, cells, chain, undefined, undefined);
    rememberTimes(this.#state, streams, chain, cells);
  }

  #groups(out: ByteWriter, rows: readonly Row[], streams: readonly Stream[], owner: Int32Array): void {
    const { groups } = this.#workspace;
    for (const part of groupsOf(streams, owner)) {
      const memory = this.#state.schema(part.schema);
      const payloads = part.rows.map((i) => rows[i]!.payload);
      if (memory === undefined) groups.writeOpaque(out, payloads);
      else groups.write(out, { memory, streams: part.streams }, payloads, part.owner);
    }
  }
}

function refuseBadRows(rows: readonly Row[]): void {
  if (rows.length === 0 || rows.length > maxBatchRows) {
    throw new ProtocolError('value', `a batch of ${rows.length} rows`, { expected: `1 to ${maxBatchRows}` });
  }
  let bytes = 0;
  for (const row of rows) {
    const fault = rowFault(row);
    if (fault !== undefined) throw new ProtocolError('value', `a row that can't travel: ${fault}`);
    bytes += row.payload.length;
  }
  if (bytes > maxBatchPayloadBytes) {
    throw new ProtocolError('value', `a batch of ${bytes} payload bytes`, {
      expected: `at most ${maxBatchPayloadBytes}`,
    });
  }
}

/** New streams may take the slots of others of this batch: those are defined again. Returns how many definitions. */
function forgetOverwritten(table: LinkState['streams'], found: { stream: Stream | undefined }[]): number {
  let count = found.filter(({ stream }) => stream === undefined).length;
  for (let changed = true; changed;) {
    changed = false;
    for (const entry of found) {
      if (entry.stream === undefined || !table.isTakenBy(entry.stream.slot, count)) continue;
      table.forget(entry.stream);
      entry.stream = undefined;
      count += 1;
      changed = true;
    }
  }
  return count;
}

/** Rows of one schema, in the order of the schemas' first rows. */
export interface BatchPart {
  schema: bigint;
  streams: Stream[];
  /** Row numbers in the batch. */
  rows: number[];
  /** Of each of them, a number in `streams`. */
  owner: Int32Array;
}

export function groupsOf(streams: readonly Stream[], owner: Int32Array): BatchPart[] {
  const parts = new Map<bigint, { streams: Stream[]; rows: number[]; owners: number[] }>();
  const places = streams.map((stream) => {
    let part = parts.get(stream.schema);
    if (part === undefined) parts.set(stream.schema, (part = { streams: [], rows: [], owners: [] }));
    part.streams.push(stream);
    return { part, local: part.streams.length - 1 };
  });
  for (let i = 0; i < owner.length; i += 1) {
    const { part, local } = places[owner[i]!]!;
    part.rows.push(i);
    part.owners.push(local);
  }
  return Array.from(parts, ([schema, part]) => ({
    schema,
    streams: part.streams,
    rows: part.rows,
    owner: Int32Array.from(part.owners),
  }));
}

export function timeChain(streams: readonly Stream[], owner: Int32Array): Chain {
  return new Chain(owner, owner.length, streams.length, (s) => streams[s]!.timesSeen > 0);
}

export function timeCells(state: LinkState, streams: readonly Stream[], chain: Chain): Float64Array {
  const cells = new Float64Array(chain.offset + chain.length);
  cells[0] = state.clockMs;
  streams.forEach(({ lastTimeMs, beforeTimeMs }, s) => {
    cells[1 + 2 * s] = lastTimeMs;
    cells[2 + 2 * s] = beforeTimeMs;
  });
  return cells;
}

export function rememberTimes(state: LinkState, streams: readonly Stream[], chain: Chain, cells: Float64Array): void {
  state.clockMs = cells.at(-1)!;
  streams.forEach((stream, s) => {
    const last = chain.last[s]!;
    const before = chain.before[s]!;
    stream.lastTimeMs = cells[last]!;
    stream.beforeTimeMs = cells[before]!;
    stream.timesSeen = last === before ? 1 : 2;
  });
}
