import { Chain } from './chain.ts';
import { OrderedBits, bitDomain, scaled, type Precision } from './domain.ts';
import type { SchemaMemory, StreamMemory } from './memory.ts';
import type { Stream } from './stream-table.ts';

/** Rows of one schema in a batch: which of the group's streams each belongs to. */
export interface Group {
  memory: SchemaMemory;
  streams: readonly Stream[];
}

/** Each stream of the group with its memory, made where there is none. */
export function memories({ memory, streams }: Group): StreamMemory[] {
  return streams.map((stream) => (stream.memory ??= memory.streamMemory()));
}

/** The chain of a column whose values belong to `owner`. */
export function columnChain(slot: number, owner: Int32Array, length: number, known: readonly StreamMemory[]): Chain {
  return new Chain(owner, length, known.length, (s) => known[s]!.seen[slot]! > 0);
}

/** Cells before the offset: what is known from earlier batches. */
export function knownCells(
  slot: number,
  chain: Chain,
  known: readonly StreamMemory[],
  recent: StreamMemory | undefined,
): Float64Array {
  const cells = new Float64Array(chain.offset + chain.length);
  if (recent !== undefined) cells[0] = recent.last[slot]!;
  known.forEach(({ last, before }, s) => {
    cells[1 + 2 * s] = last[slot]!;
    cells[2 + 2 * s] = before[slot]!;
  });
  return cells;
}

export function knownWideCells(
  slot: number,
  chain: Chain,
  known: readonly StreamMemory[],
  recent: StreamMemory | undefined,
): BigInt64Array {
  const cells = new BigInt64Array(chain.offset + chain.length);
  if (recent !== undefined) cells[0] = recent.wideLast(slot);
  known.forEach((memory, s) => {
    cells[1 + 2 * s] = memory.wideLast(slot);
    cells[2 + 2 * s] = memory.wideBefore(slot);
  });
  return cells;
}

/** Cells `from` to `to` as whole numbers of a domain; `double` in the bit domain has its own. */
export function wholeCells(values: Float64Array, from: number, to: number, domain: number, whole: Float64Array): void {
  const ordered = new OrderedBits();
  if (domain === bitDomain) for (let i = from; i < to; i += 1) whole[i] = ordered.float(values[i]!);
  else for (let i = from; i < to; i += 1) whole[i] = scaled(values[i]!, domain);
}

export function bitCells(values: Float64Array, from: number, to: number, bits: BigInt64Array): void {
  const ordered = new OrderedBits();
  for (let i = from; i < to; i += 1) bits[i] = ordered.double(values[i]!);
}

export function isWideDomain(precision: Precision, domain: number): boolean {
  return precision === 'double' && domain === bitDomain;
}

/** Keeps each stream's last two values for the batches to come. */
export function remember(slot: number, chain: Chain, cells: Float64Array, known: readonly StreamMemory[]): void {
  known.forEach((memory, s) => {
    const last = chain.last[s]!;
    if (last < chain.offset) return;
    const before = chain.before[s]!;
    memory.set(slot, cells[last]!, cells[before]!, before === last ? 1 : 2);
  });
}

export function rememberWide(slot: number, chain: Chain, cells: BigInt64Array, known: readonly StreamMemory[]): void {
  known.forEach((memory, s) => {
    const last = chain.last[s]!;
    if (last < chain.offset) return;
    const before = chain.before[s]!;
    memory.setWide(slot, cells[last]!, cells[before]!, before === last ? 1 : 2);
  });
}
