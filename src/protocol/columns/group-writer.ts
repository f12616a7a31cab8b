import { Buffer } from 'node:buffer';
import { ByteWriter } from '../byte-writer.ts';
import { writeBlob } from './blob.ts';
import { Chain } from './chain.ts';
import { ColumnWriter, allExact } from './column-writer.ts';
import { bitDomain, decimalDomain, type Precision } from './domain.ts';
import {
  bitCells,
  columnChain,
  isWideDomain,
  knownCells,
  knownWideCells,
  memories,
  remember,
  rememberWide,
  wholeCells,
  type Group,
} from './group-column.ts';
import type { StreamMemory } from './memory.ts';
import { PayloadSplitter } from './payload-splitter.ts';
import type { RangeEncoder, RangeModel } from './range-coder.ts';
import type { ColumnSchema } from './schema.ts';
import type { SlotValues } from './slot-values.ts';

/** Buffers start with room for this many: a batch of our own has at most as many, and there is one for each column. */
const usualRows = 128;

/** How the payloads of a group travel: the byte that a group starts with. */
export const GroupForm = { opaque: 0, columns: 1, mixed: 2 } as const;

/** Done when it is settled that the columns travel: first all of these, then the new strings of each column. */
interface Commit {
  remember(): void;
  addStrings?(): void;
}

/** Writes the payloads of a batch's rows that have one schema. */
export class GroupWriter {
  readonly #range: RangeEncoder | undefined;
  readonly #columns: ColumnWriter;
  readonly #trial = new ColumnWriter(undefined);
  readonly #splitters = new Map<ColumnSchema, PayloadSplitter>();
  readonly #out = new ByteWriter(4096);

  constructor(range: RangeEncoder | undefined) {
    this.#range = range;
    this.#columns = new ColumnWriter(range);
  }

  /** u8 0 · opaque payloads */
  writeOpaque(out: ByteWriter, payloads: readonly Uint8Array[]): void {
    out.byte(GroupForm.opaque);
    this.#pieces(out, payloads);
  }

  /**
   * u8 1 · columns, or u8 2 · varint strangers · their gaps (varint: rows since the stranger before) · columns of the
   * others · opaque payloads of the strangers. Falls back to opaque where columns would take more.
   */
  write(out: ByteWriter, group: Group, payloads: readonly Uint8Array[], owner: Int32Array): void {
    const { memory } = group;
    const splitter = this.#splitter(memory.schema);
    splitter.clear();
    const strangers: number[] = [];
    let payloadBytes = 0;
    for (let i = 0; i < payloads.length; i += 1) {
      payloadBytes += payloads[i]!.length;
      if (!splitter.split(payloads[i]!, owner[i]!)) strangers.push(i);
    }
    if (strangers.length === payloads.length) {
      this.writeOpaque(out, payloads);
      return;
    }
    const body = this.#out;
    body.clear();
    body.byte(strangers.length > 0 ? GroupForm.mixed : GroupForm.columns);
    if (strangers.length > 0) writeGaps(body, strangers);
    const mark = this.#range?.mark();
    const saved = this.#range && memory.saveModels();
    const known = memories(group);
    const commits = this.#slots(body, group, splitter, known);
    if (strangers.length > 0)
      this.#pieces(
        body,
        strangers.map((i) => payloads[i]!),
      );
    const rangeBytes = mark === undefined ? 0 : this.#range!.length - mark.length;
    if (body.length + rangeBytes > payloadBytes + 4) {
      if (mark !== undefined) this.#range!.rollBack(mark);
      if (saved !== undefined) memory.restoreModels(saved);
      this.writeOpaque(out, payloads);
      return;
    }
    for (const commit of commits) commit.remember();
    for (const commit of commits) commit.addStrings?.();
    memory.recent = known[owner[lastOther(payloads.length, strangers)]!];
    out.bytes(body.view());
  }

  #slots(out: ByteWriter, group: Group, splitter: PayloadSplitter, known: readonly StreamMemory[]): Commit[] {
    const { memory } = group;
    const commits: Commit[] = [];
    // Columns that every row has share a chain.
    let whole: Chain | undefined;
    memory.schema.slots.forEach(({ kind, parent }, slot) => {
      const values = splitter.slots[slot]!;
      if (values.count === 0) return;
      const chain = parent < 0 && whole !== undefined ? whole : columnChain(slot, values.owner, values.count, known);
      if (parent < 0) whole = chain;
      const model = this.#range && memory.model(slot);
      switch (kind) {
        case 'float':
        case 'double':
          commits.push(this.#floats(out, group, slot, kind, values, chain, known, model));
          break;
        case 'string':
          commits.push(this.#strings(out, group, slot, values, chain, known, model));
          break;
        case 'bytes':
          commits.push(this.#numbers(out, group, slot, values, chain, known, model));
          writePiecesBody(out, values.texts);
          break;
        default:
          commits.push(this.#numbers(out, group, slot, values, chain, known, model));
      }
    });
    return commits;
  }

  #numbers(
    out: ByteWriter,
    { memory }: Group,
    slot: number,
    values: SlotValues,
    chain: Chain,
    known: readonly StreamMemory[],
    model: RangeModel | undefined,
  ): Commit {
    const cells = knownCells(slot, chain, known, memory.recent);
    cells.set(values.values.subarray(0, values.count), chain.offset);
    if (allExact(cells, cells.length)) {
      this.#columns.write(out, cells, chain, undefined, model);
      return { remember: () => remember(slot, chain, cells, known) };
    }
    const wide = knownWideCells(slot, chain, known, memory.recent);
    for (let i = 0; i < values.count; i += 1) wide[chain.offset + i] = values.long(i);
    this.#columns.writeWide(out, wide, chain, undefined, model);
    return { remember: () => rememberWide(slot, chain, wide, known) };
  }

  #floats(
    out: ByteWriter,
    { memory }: Group,
    slot: number,
    precision: Precision,
    values: SlotValues,
    chain: Chain,
    known: readonly StreamMemory[],
    model: RangeModel | undefined,
  ): Commit {
    const cells = knownCells(slot, chain, known, memory.recent);
    cells.set(values.values.subarray(0, values.count), chain.offset);
    const last = memory.domains[slot]!;
    const domain = this.#domain(cells, chain, precision, last);
    const changed = domain === last ? undefined : domain;
    writeDomain(this.#columns, out, cells, chain, precision, domain, changed, model);
    return {
      remember() {
        memory.setDomain(slot, domain);
        remember(slot, chain, cells, known);
      },
    };
  }

  /** The least decimal domain, or the bit domain where it is smaller: numbers off any grid may fit a fine one by chance. */
  #domain(cells: Float64Array, chain: Chain, precision: Precision, last: number): number {
    const end = chain.offset + chain.length;
    const from = last === bitDomain ? 0 : last;
    let domain = decimalDomain(cells, chain.offset, end, precision, from);
    if (domain === bitDomain && from > 0) domain = decimalDomain(cells, chain.offset, end, precision, 0);
    if (domain === bitDomain || domain <= (precision === 'float' ? 4 : 8)) return domain;
    const bytes = [domain, bitDomain].map((candidate) => {
      const out = new ByteWriter(1024);
      writeDomain(this.#trial, out, cells, chain, precision, candidate, undefined, undefined);
      return out.length;
    });
    return bytes[0]! <= bytes[1]! ? domain : bitDomain;
  }

  /** varint new strings · when there are: column of their lengths, their bytes · column of numbers */
  #strings(
    out: ByteWriter,
    group: Group,
    slot: number,
    values: SlotValues,
    chain: Chain,
    known: readonly StreamMemory[],
    model: RangeModel | undefined,
  ): Commit {
    const dictionary = group.memory.dictionaries[slot]!;
    const added = new Map<string, number>();
    const texts: Uint8Array[] = [];
    for (let i = 0; i < values.count; i += 1) {
      const text = values.texts[i]!;
      const name = Buffer.from(text.buffer, text.byteOffset, text.length).toString('latin1');
      let number = dictionary.numberOf.get(name) ?? added.get(name);
      if (number === undefined) {
        number = dictionary.strings.length + added.size;
        added.set(name, number);
        texts.push(text);
      }
      values.values[i] = number;
    }
    out.varint(texts.length);
    if (texts.length > 0) this.#pieces(out, texts);
    const commit = this.#numbers(out, group, slot, values, chain, known, model);
    return { ...commit, addStrings: () => dictionary.add([...added.keys()]) };
  }

  /** Opaque bytes: column of lengths, each predicted by the one before; then the bytes. */
  #pieces(out: ByteWriter, pieces: readonly Uint8Array[]): void {
    const chain = new Chain(new Int32Array(pieces.length), pieces.length, 1, () => false);
    const cells = new Float64Array(chain.offset + pieces.length);
    pieces.forEach((piece, i) => {
      cells[chain.offset + i] = piece.length;
    });
    this.#columns.write(out, cells, chain, undefined, undefined);
    writePiecesBody(out, pieces);
  }

  #splitter(schema: ColumnSchema): PayloadSplitter {
    let splitter = this.#splitters.get(schema);
    if (splitter === undefined) this.#splitters.set(schema, (splitter = new PayloadSplitter(schema, usualRows)));
    return splitter;
  }
}

function writeDomain(
  columns: ColumnWriter,
  out: ByteWriter,
  cells: Float64Array,
  chain: Chain,
  precision: Precision,
  domain: number,
  changed: number | undefined,
  model: RangeModel | undefined,
): void {
  if (isWideDomain(precision, domain)) {
    const bits = new BigInt64Array(cells.length);
    bitCells(cells, 0, cells.length, bits);
    columns.writeWide(out, bits, chain, changed, model);
  } else {
    const whole = new Float64Array(cells.length);
    wholeCells(cells, 0, cells.length, domain, whole);
    columns.write(out, whole, chain, changed, model);
  }
}

function writePiecesBody(out: ByteWriter, pieces: readonly Uint8Array[]): void {
  const bytes = Buffer.concat(pieces);
  if (bytes.length === 0) return;
  const { length } = pieces[0]!;
  writeBlob(out, bytes, pieces.length, pieces.every((piece) => piece.length === length) ? length : undefined);
}

function writeGaps(out: ByteWriter, rows: readonly number[]): void {
  out.varint(rows.length);
  let next = 0;
  for (const row of rows) {
    out.varint(row - next);
    next = row + 1;
  }
}

/** The last row that is no stranger. */
function lastOther(rows: number, strangers: readonly number[]): number {
  let last = rows - 1;
  for (let n = strangers.length - 1; n >= 0 && strangers[n] === last; n -= 1) last -= 1;
  return last;
}
