import { Buffer } from 'node:buffer';
import { ProtocolError } from '../protocol-error.ts';
import { readBlob } from './blob.ts';
import type { BodyReader } from './body-reader.ts';
import { Chain } from './chain.ts';
import { ColumnReader } from './column-reader.ts';
import type { Dictionary } from './dictionary.ts';
import { OrderedBits, bitDomain, isDomain, unscaled, type Precision } from './domain.ts';
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
import { GroupForm } from './group-writer.ts';
import { maxBatchPayloadBytes } from './limit.ts';
import type { StreamMemory } from './memory.ts';
import { PayloadJoiner, type DecodedSlot } from './payload-joiner.ts';
import type { RangeDecoder, RangeModel } from './range-coder.ts';
import { readHead, type ColumnHead } from './residual-reader.ts';
import type { Slot } from './schema.ts';

/** Reads the payloads of a batch's rows that have one schema: the other side of GroupWriter. */
export class GroupReader {
  readonly #columns = new ColumnReader();
  readonly #joiner = new PayloadJoiner();
  readonly #ordered = new OrderedBits();
  /** New strings of the group, by column. */
  readonly #added: { dictionary: Dictionary; added: string[] }[] = [];

  /** @param groupOf asked only for rows that came in columns; throws when the reader has none for their schema */
  read(
    reader: BodyReader,
    groupOf: () => Group,
    owner: Int32Array,
    rows: number,
    decoder: RangeDecoder | undefined,
  ): Uint8Array[] {
    const form = reader.byte();
    if (form === GroupForm.opaque) return this.#pieces(reader, rows);
    if (form > GroupForm.mixed) throw new ProtocolError('value', `a group of form ${form}`);
    const group = groupOf();
    const strangers = form === GroupForm.mixed ? readGaps(reader, rows) : [];
    const others = strangers.length === 0 ? owner : ownersOfOthers(owner, rows, strangers);
    const known = memories(group);
    const slots = this.#slots(reader, group, others, rows - strangers.length, known, decoder);
    const payloads = this.#joiner.join(group.memory.schema, slots, rows - strangers.length);
    // After all columns: what one takes up may empty the dictionaries of the others.
    for (const { dictionary, added } of this.#added) dictionary.add(added);
    group.memory.recent = known[others[rows - strangers.length - 1]!];
    if (strangers.length === 0) return payloads;
    const opaque = this.#pieces(reader, strangers.length);
    // Rising rows: each finds its place among those already there.
    strangers.forEach((row, n) => payloads.splice(row, 0, opaque[n]!));
    return payloads;
  }

  #slots(
    reader: BodyReader,
    group: Group,
    owner: Int32Array,
    rows: number,
    known: readonly StreamMemory[],
    decoder: RangeDecoder | undefined,
  ): DecodedSlot[] {
    const { memory } = group;
    this.#added.length = 0;
    const decoded: DecodedSlot[] = [];
    const owners: Int32Array[] = [];
    let whole: Chain | undefined;
    memory.schema.slots.forEach((description, slot) => {
      const { kind, parent } = description;
      const mine = parent < 0 ? owner.subarray(0, rows) : present(owners[parent]!, decoded[parent]!.values);
      owners[slot] = mine;
      if (mine.length === 0) {
        decoded.push({ values: new Float64Array(0) });
        return;
      }
      const chain = parent < 0 && whole !== undefined ? whole : columnChain(slot, mine, mine.length, known);
      if (parent < 0) whole = chain;
      const model = decoder && memory.model(slot);
      const column: Column = { reader, group, slot, description, chain, known, decoder, model };
      if (kind === 'float' || kind === 'double') decoded.push(this.#floats(column, kind));
      else if (kind === 'string') decoded.push(this.#strings(column));
      else if (kind === 'bytes') decoded.push(this.#bytes(column));
      else decoded.push(this.#numbers(column));
    });
    return decoded;
  }

  #numbers(column: Column): DecodedSlot {
    const { reader, group, slot, description, chain, known, decoder, model } = column;
    const head = readHead(reader, false);
    this.#columns.read(reader, head, chain.length, decoder, model);
    const cells = knownCells(slot, chain, known, group.memory.recent);
    const isLong = description.kind === 'long';
    if (this.#restores(cells, chain, head)) {
      const values = cells.subarray(chain.offset);
      if (!isLong) expectRange(values, description);
      remember(slot, chain, cells, known);
      return { values };
    }
    if (!isLong) throw new ProtocolError('value', `a value of ${description.kind} is out of range`);
    const wide = knownWideCells(slot, chain, known, group.memory.recent);
    this.#columns.restoreWide(wide, chain, head);
    rememberWide(slot, chain, wide, known);
    return { values: new Float64Array(chain.length), wide: wide.subarray(chain.offset) };
  }

  #restores(cells: Float64Array, chain: Chain, head: ColumnHead): boolean {
    for (let i = 0; i < chain.offset; i += 1) if (Number.isNaN(cells[i])) return false;
    return this.#columns.restore(cells, chain, head);
  }

  #floats(column: Column, precision: Precision): DecodedSlot {
    const { reader, group, slot, chain, known, decoder, model } = column;
    const { memory } = group;
    const head = readHead(reader, true);
    if (head.domain !== undefined) {
      if (!isDomain(head.domain) || head.domain === memory.domains[slot]) {
        throw new ProtocolError('value', `domain ${head.domain}`);
      }
      memory.setDomain(slot, head.domain);
    }
    const domain = memory.domains[slot]!;
    this.#columns.read(reader, head, chain.length, decoder, model);
    const cells = knownCells(slot, chain, known, memory.recent);
    const { offset } = chain;
    if (isWideDomain(precision, domain)) {
      const bits = new BigInt64Array(cells.length);
      bitCells(cells, 0, offset, bits);
      this.#columns.restoreWide(bits, chain, head);
      for (let i = offset; i < cells.length; i += 1) cells[i] = this.#ordered.doubleOf(bits[i]!);
    } else {
      const whole = new Float64Array(cells.length);
      wholeCells(cells, 0, offset, domain, whole);
      if (!this.#columns.restore(whole, chain, head)) {
        throw new ProtocolError('value', 'a number is out of its domain');
      }
      if (domain === bitDomain) {
        expectRange(whole.subarray(offset), { kind: 'float', min: -0x8000_0000, max: 0x7fff_ffff, parent: -1 });
        for (let i = offset; i < cells.length; i += 1) cells[i] = this.#ordered.floatOf(whole[i]!);
      } else {
        for (let i = offset; i < cells.length; i += 1) cells[i] = unscaled(whole[i]!, domain, precision);
      }
    }
    remember(slot, chain, cells, known);
    return { values: cells.subarray(offset) };
  }

  #strings(column: Column): DecodedSlot {
    const { reader, group, slot, chain } = column;
    const dictionary = group.memory.dictionaries[slot]!;
    const count = reader.varint(chain.length);
    const added = count === 0 ? [] : this.#pieces(reader, count).map(latin1);
    const table = added.length === 0 ? [...dictionary.strings] : [...dictionary.strings, ...added];
    const description: Slot = { ...column.description, min: 0, max: table.length - 1 };
    const { values } = this.#numbers({ ...column, description });
    this.#added.push({ dictionary, added });
    return { values, texts: (index) => table[values[index]!]! };
  }

  #bytes(column: Column): DecodedSlot {
    const description: Slot = { ...column.description, min: 0, max: maxBatchPayloadBytes };
    const { values } = this.#numbers({ ...column, description });
    const pieces = piecesOf(column.reader, values);
    return { values, texts: (index) => pieces[index]! };
  }

  #pieces(reader: BodyReader, count: number): Uint8Array[] {
    const head = readHead(reader, false);
    this.#columns.read(reader, head, count, undefined, undefined);
    const chain = new Chain(new Int32Array(count), count, 1, () => false);
    const cells = new Float64Array(chain.offset + count);
    if (!this.#columns.restore(cells, chain, head)) throw new ProtocolError('value', 'a length is too large');
    const lengths = cells.subarray(chain.offset);
    expectRange(lengths, { kind: 'bytes', min: 0, max: maxBatchPayloadBytes, parent: -1 });
    return piecesOf(reader, lengths);
  }
}

interface Column {
  reader: BodyReader;
  group: Group;
  slot: number;
  description: Slot;
  chain: Chain;
  known: readonly StreamMemory[];
  decoder: RangeDecoder | undefined;
  model: RangeModel | undefined;
}

function expectRange(values: Float64Array, { kind, min, max }: Slot): void {
  for (let i = 0; i < values.length; i += 1) {
    if (!(values[i]! >= min && values[i]! <= max)) {
      throw new ProtocolError('value', `${values[i]} is no value of ${kind} here`);
    }
  }
}

/** Owners of the rows that have a value where the parent's is 1. */
function present(owner: Int32Array, flags: Float64Array): Int32Array {
  return owner.filter((_, i) => flags[i] === 1);
}

function piecesOf(reader: BodyReader, lengths: Float64Array): Uint8Array[] {
  const total = lengths.reduce((sum, length) => sum + length, 0);
  if (total > maxBatchPayloadBytes) {
    throw new ProtocolError('value', `${total} bytes of text`, { expected: `at most ${maxBatchPayloadBytes}` });
  }
  const first = lengths[0]!;
  const same = lengths.every((length) => length === first) ? first : undefined;
  const bytes = total === 0 ? new Uint8Array(0) : readBlob(reader, total, lengths.length, same);
  let at = 0;
  return Array.from(lengths, (length) => bytes.subarray(at, (at += length)));
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

function readGaps(reader: BodyReader, rows: number): number[] {
  const count = reader.varint(rows - 1);
  if (count === 0) throw new ProtocolError('value', 'no strangers where some are announced');
  const found: number[] = [];
  let next = 0;
  for (let n = 0; n < count; n += 1) {
    const row = next + reader.varint(rows);
    if (row >= rows) throw new ProtocolError('value', 'a stranger after the last row');
    found.push(row);
    next = row + 1;
  }
  return found;
}

function ownersOfOthers(owner: Int32Array, rows: number, strangers: readonly number[]): Int32Array {
  const skip = new Set(strangers);
  return owner.subarray(0, rows).filter((_, i) => !skip.has(i));
}
