import { OrderedBits, bitDomain, scaled } from './domain.ts';
import { bitLength } from './coding.ts';
import type { RunningMean, SchemaMemory, StreamMemory } from './memory.ts';
import { foldWhole, minus, type Whole } from './whole.ts';

/**
 * One column of a single event. It is predicted from the last value of its stream, or along the slope of the last two
 * where that has done better so far; a stream without a value yet goes by the schema's last row of any stream.
 */
export interface Prediction {
  value: Whole;
  /** What decides k; undefined while nothing has been learned: the residual's length is written then. */
  mean: RunningMean | undefined;
}

/** The column's values as whole numbers of its domain. */
interface Past {
  last: Whole;
  before: Whole;
  seen: number;
}

export function wholeOf(memory: SchemaMemory, slot: number, value: number): Whole {
  const { kind } = memory.schema.slots[slot]!;
  if (kind !== 'float' && kind !== 'double') return value;
  const domain = memory.domains[slot]!;
  if (domain !== bitDomain) return scaled(value, domain);
  const ordered = new OrderedBits();
  return kind === 'float' ? ordered.float(value) : minus(ordered.double(value), 0);
}

function pastOf(memory: SchemaMemory, stream: StreamMemory, slot: number): Past {
  const seen = stream.seen[slot]!;
  const source = seen > 0 ? stream : memory.recent;
  if (source === undefined) return { last: 0, before: 0, seen };
  const { kind } = memory.schema.slots[slot]!;
  if (kind === 'long')
    return { last: minus(source.wideLast(slot), 0), before: minus(source.wideBefore(slot), 0), seen };
  return {
    last: wholeOf(memory, slot, source.last[slot]!),
    before: wholeOf(memory, slot, source.before[slot]!),
    seen,
  };
}

export function predict(memory: SchemaMemory, stream: StreamMemory, slot: number): Prediction {
  const { last, before, seen } = pastOf(memory, stream, slot);
  const delta = memory.deltas[slot]!;
  const slope = memory.slopes[slot]!;
  if (seen === 2 && slope.count > 0 && slope.sixteenths < delta.sixteenths) {
    return { value: minus(last, minus(before, last)), mean: slope };
  }
  return { value: last, mean: seen > 0 && delta.count > 0 ? delta : undefined };
}

/** Lets the means know the value that came; to be called before it is remembered. */
export function learn(memory: SchemaMemory, stream: StreamMemory, slot: number, value: Whole): void {
  const { last, before, seen } = pastOf(memory, stream, slot);
  if (seen === 0) return;
  const delta = minus(value, last);
  memory.deltas[slot]!.add(learnable(foldWhole(delta)));
  if (seen === 2) memory.slopes[slot]!.add(learnable(foldWhole(minus(delta, minus(last, before)))));
}

/** Sizes from 2^52 on count as 2^52. */
function learnable(folded: Whole): number {
  return typeof folded === 'number' ? Math.min(folded, 2 ** 52) : 2 ** 52;
}

export function riceParameter({ sixteenths }: RunningMean): number {
  return Math.min(50, bitLength(Math.floor(sixteenths / 32)));
}

/** After the value of a stream's column: the last one becomes the one before. */
export function rememberEvent(stream: StreamMemory, slot: number, value: Whole): void {
  const seen = stream.seen[slot]!;
  const before = seen === 0 ? value : stream.wideLastOrNumber(slot);
  if (typeof value === 'number' && typeof before === 'number') stream.set(slot, value, before, Math.min(2, seen + 1));
  else stream.setWide(slot, BigInt(value), BigInt(before), Math.min(2, seen + 1));
}
