import type { Row } from '../../protocol/lane.ts';
import { isProductRow } from '../../protocol/packed-rows.ts';

/** Neighbouring rows of one kind: the product's travel on packed, the others are for the core to read. */
export interface RowRun {
  firstSeq: number;
  rows: readonly Row[];
  isProduct: boolean;
}

/** In order; most of what a device sends is one run. */
export function runsOf(firstSeq: number, rows: readonly Row[]): RowRun[] {
  const runs: RowRun[] = [];
  for (let from = 0; from < rows.length;) {
    const isProduct = isProductRow(rows[from]!);
    let to = from + 1;
    while (to < rows.length && isProductRow(rows[to]!) === isProduct) to += 1;
    runs.push({
      firstSeq: firstSeq + from,
      rows: from === 0 && to === rows.length ? rows : rows.slice(from, to),
      isProduct,
    });
    from = to;
  }
  return runs;
}
