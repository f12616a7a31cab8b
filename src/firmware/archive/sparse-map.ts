import { maxMapEntries } from '../config/resource.ts';
import type { DataRange } from './file-hole.ts';

/**
 * The map of a resource: alternating data and hole lengths, data first. Files that are joined go on where the one
 * before ended; when the map is full, everything else counts as data.
 */
export class SparseMap {
  readonly lengths: number[] = [0];

  /** What to read of the next file, in order. */
  addFile(sizeBytes: number, ranges: readonly DataRange[]): DataRange[] {
    const toRead: DataRange[] = [];
    let at = 0;
    for (const { offset, length } of [...ranges, { offset: sizeBytes, length: 0 }]) {
      if (offset > at) this.#add('hole', at, offset - at, toRead);
      if (length > 0) this.#add('data', offset, length, toRead);
      at = offset + length;
    }
    return toRead;
  }

  #add(kind: 'data' | 'hole', offset: number, length: number, toRead: DataRange[]): void {
    const last = this.lengths.length - 1;
    const isFull = this.lengths.length === maxMapEntries - 1; // then the last entry is data
    const continues = (last % 2 === 0) === (kind === 'data');
    if (continues || isFull) this.lengths[last]! += length;
    else this.lengths.push(length);
    if (kind === 'hole' && !isFull) return;
    const before = toRead.at(-1);
    const joins = before !== undefined && before.offset + before.length === offset;
    if (joins) toRead[toRead.length - 1] = { offset: before.offset, length: before.length + length };
    else toRead.push({ offset, length });
  }
}
