import type { Lane } from '../protocol/lane.ts';
import type { GapReason } from '../protocol/message.ts';
import type { StatementCache } from './statement-cache.ts';

/** Numbers that no row will ever stand for, up to and including `upToSeq`. */
export interface LeftOut {
  upToSeq: number;
  reason: GapReason;
}

/** Reasons that this side of the log gives, in the table as they stand on the wire. */
const reasons = { 'new-instance': 2, superseded: 3, 'disk-pressure': 5 } as const satisfies Partial<
  Record<GapReason, number>
>;
export type LogGapReason = keyof typeof reasons;
const nameOf = new Map<number, LogGapReason>(
  Object.entries(reasons).map(([name, number]) => [number, name as LogGapReason]),
);

interface GapRecord {
  from_seq: number;
  to_seq: number;
  reason: number;
}

/**
 * Why numbers of a lane were left out: ranges, one row each, merged where they touch. What stands in no range and has
 * no row either was acknowledged and is not kept.
 */
export class GapTable {
  readonly #sql: StatementCache;

  constructor(sql: StatementCache) {
    this.#sql = sql;
  }

  count(lane: Lane): number {
    return this.#sql.get<{ n: number }>('SELECT count(*) AS n FROM outbox_gap WHERE lane = ?', lane)!.n;
  }

  /** Whatever ranges lie inside are swallowed. Returns by how much the number of ranges has changed. */
  add(lane: Lane, fromSeq: number, toSeq: number, reason: LogGapReason): number {
    const number: number = reasons[reason];
    let change = -this.#sql.run(
      'DELETE FROM outbox_gap WHERE lane = ? AND from_seq BETWEEN ? AND ?',
      lane,
      fromSeq,
      toSeq,
    );
    const before = this.#sql.get<GapRecord>(
      'SELECT from_seq, to_seq, reason FROM outbox_gap WHERE lane = ? AND from_seq < ? ORDER BY from_seq DESC LIMIT 1',
      lane,
      fromSeq,
    );
    const after = this.#sql.get<GapRecord>(
      'SELECT from_seq, to_seq, reason FROM outbox_gap WHERE lane = ? AND from_seq = ?',
      lane,
      toSeq + 1,
    );
    let end = toSeq;
    if (after?.reason === number) {
      change -= this.#sql.run('DELETE FROM outbox_gap WHERE lane = ? AND from_seq = ?', lane, after.from_seq);
      end = after.to_seq;
    }
    if (before?.reason === number && before.to_seq === fromSeq - 1) {
      this.#sql.run('UPDATE outbox_gap SET to_seq = ? WHERE lane = ? AND from_seq = ?', end, lane, before.from_seq);
      return change;
    }
    this.#insert(lane, fromSeq, end, number);
    return change + 1;
  }

  /** The numbers from `fromSeq` to `toSeq`, none of which has a row, by reason: at most `maxRanges`. */
  explain(lane: Lane, fromSeq: number, toSeq: number, maxRanges: number): LeftOut[] {
    const ranges = this.#sql.all<GapRecord>(
      `SELECT from_seq, to_seq, reason FROM outbox_gap
       WHERE lane = ?1 AND to_seq >= ?2 AND from_seq <= ?3
         AND from_seq >= (SELECT coalesce(max(from_seq), 0) FROM outbox_gap WHERE lane = ?1 AND from_seq <= ?2)
       ORDER BY from_seq LIMIT ?4`,
      lane,
      fromSeq,
      toSeq,
      maxRanges,
    );
    const left: LeftOut[] = [];
    let explained = fromSeq - 1;
    for (const range of ranges) {
      if (range.from_seq > explained + 1) left.push({ upToSeq: range.from_seq - 1, reason: 'not-kept' });
      explained = Math.min(range.to_seq, toSeq);
      left.push({ upToSeq: explained, reason: nameOf.get(range.reason) ?? 'not-kept' });
    }
    if (explained < toSeq && ranges.length < maxRanges) left.push({ upToSeq: toSeq, reason: 'not-kept' });
    return left;
  }

  /** A new instance begins after `ackedSeq`: whatever was left out before is of another history. */
  beginAfter(lane: Lane, ackedSeq: number): void {
    const gone = this.#sql.all<GapRecord>(
      'DELETE FROM outbox_gap WHERE lane = ? AND from_seq <= ? RETURNING from_seq, to_seq, reason',
      lane,
      ackedSeq,
    );
    if (ackedSeq > 0) this.#insert(lane, 1, ackedSeq, reasons['new-instance']);
    const astride = gone.find((range) => range.to_seq > ackedSeq);
    if (astride !== undefined) this.#insert(lane, ackedSeq + 1, astride.to_seq, astride.reason);
  }

  /** What ends at or before `upToSeq` is known to the coordinator. Returns how many ranges went. */
  prune(lane: Lane, upToSeq: number): number {
    return this.#sql.run('DELETE FROM outbox_gap WHERE lane = ? AND to_seq <= ?', lane, upToSeq);
  }

  #insert(lane: Lane, fromSeq: number, toSeq: number, reason: number): void {
    this.#sql.run('INSERT INTO outbox_gap VALUES (?, ?, ?, ?)', lane, fromSeq, toSeq, reason);
  }
}
