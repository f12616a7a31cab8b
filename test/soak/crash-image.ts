/**
 * What a disk may hold after the power went: everything that was written before a sync that returned, and of what was
 * written since, any part, in any order, down to single sectors.
 */
import type { Dice } from './dice.ts';
import type { DiskTrace, TracedWrite } from './disk-trace.ts';

const sectorBytes = 512;

export interface Crash {
  image: Buffer;
  /** How many syncs had returned. */
  syncs: number;
  /** Writes that were under way, and what became of each. */
  pending: { offset: number; length: number; sectors: number }[];
}

/** One of the crashes that were possible, by chance. `base` is the disk before the trace. */
export function crashImage(base: Buffer, { writes, syncs }: DiskTrace, dice: Dice): Crash {
  const returned = dice.below(syncs.length + 1);
  const barrier = returned === 0 ? 0 : syncs[returned - 1]!.start;
  const nextReturn = syncs[returned]?.end ?? Number.POSITIVE_INFINITY;
  const image = Buffer.from(base);
  const isDurable = ({ end }: TracedWrite): boolean => end < barrier;
  for (const { offset, bytes } of writes.filter(isDurable)) bytes.copy(image, offset);
  const open = writes.filter((write) => !isDurable(write) && write.start < nextReturn);
  // The power may go before all of them were begun; of what was begun anything may have arrived.
  const begun = open.slice(0, dice.of([open.length, dice.below(open.length + 1)]));
  const pending = begun.map(({ offset, bytes }) => {
    const total = Math.ceil(bytes.length / sectorBytes);
    const kept = sectorsKept(total, dice);
    for (const sector of kept) {
      const from = sector * sectorBytes;
      bytes.copy(image, offset + from, from, from + sectorBytes);
    }
    return { offset, length: bytes.length, sectors: kept.length };
  });
  return { image, syncs: returned, pending };
}

/** Nothing, all, the first, the last, or some of so many sectors. */
function sectorsKept(total: number, dice: Dice): number[] {
  const all = Array.from({ length: total }, (_, index) => index);
  const cut = dice.below(total + 1);
  const choices = [(): number[] => [], () => all, () => all.slice(0, cut), () => all.slice(cut), () => all.filter(() => dice.below(2) === 0)]; // prettier-ignore
  return dice.of(choices)();
}

/**
 * The same for a file that grows, when the power goes at one place of the trace: what began before it may have
 * arrived, what a sync of this file that returned before it covers has.
 */
export function crashFile(base: Buffer, { writes, syncs }: DiskTrace, place: number, dice: Dice): Buffer {
  const barrier = syncs.findLast(({ end }) => end < place)?.start ?? 0;
  const began = writes.filter(({ start }) => start < place);
  const room = Math.max(base.length, ...began.map(({ offset, bytes }) => offset + bytes.length));
  const image = Buffer.alloc(room);
  base.copy(image);
  let size = base.length;
  for (const { offset, bytes, truncates, end } of began) {
    const isDurable = end < barrier;
    if (truncates) {
      if (!isDurable && dice.below(2) === 0) continue;
      image.fill(0, offset);
      size = offset;
      continue;
    }
    const total = Math.ceil(bytes.length / sectorBytes);
    const kept = isDurable ? [...Array(total).keys()] : sectorsKept(total, dice);
    for (const sector of kept) {
      const from = sector * sectorBytes;
      const to = Math.min(from + sectorBytes, bytes.length);
      bytes.copy(image, offset + from, from, to);
      size = Math.max(size, offset + to);
    }
  }
  return image.subarray(0, size);
}
