import type { Lane, Row } from '../protocol/lane.ts';

/** More than that is read from the tables. */
const maxRows = 32;
const maxBytes = 65_536;

interface Recent {
  firstSeq: number;
  rows: Row[];
  bytes: number;
}

/** What was appended a moment ago, so that a live session need not read back what has just been written. */
export class RecentRows {
  readonly #lanes = new Map<Lane, Recent>();

  put(lane: Lane, seq: number, row: Row): void {
    const recent = this.#lanes.get(lane);
    const isNext = recent !== undefined && seq === recent.firstSeq + recent.rows.length;
    if (!isNext || recent.rows.length === maxRows || recent.bytes + row.payload.length > maxBytes) {
      this.#lanes.set(lane, { firstSeq: seq, rows: [row], bytes: row.payload.length });
      return;
    }
    recent.rows.push(row);
    recent.bytes += row.payload.length;
  }

  /** Once: all rows from `firstSeq` to the last one before `nextSeq`, where they are here and within the bounds. */
  take(lane: Lane, firstSeq: number, nextSeq: number, bound: { rows: number; bytes: number }): Row[] | undefined {
    const recent = this.#lanes.get(lane);
    if (recent === undefined) return undefined;
    this.#lanes.delete(lane);
    const isWhole = recent.firstSeq === firstSeq && firstSeq + recent.rows.length === nextSeq;
    return isWhole && recent.rows.length <= bound.rows && recent.bytes <= bound.bytes ? recent.rows : undefined;
  }

  forget(): void {
    this.#lanes.clear();
  }
}
