import type { Lane } from '../protocol/lane.ts';
import { KeptRows, stretchNumbers, type KeepLimit, type Stretch } from './kept-rows.ts';
import { storedBytesSql, type RetentionRule } from './log-limit.ts';
import type { StatementCache } from './statement-cache.ts';

/** Rows that one acknowledgement may take away: what a transaction writes stays small, the rest goes with the next. */
const maxPrunedRows = 512;

/** Acknowledged rows by lane and type, and which of them are kept no longer. */
export class Retention {
  readonly #sql: StatementCache;
  readonly #ruleOf: (type: string) => RetentionRule;
  readonly #nowMs: () => number;
  readonly #kept = new Map<string, { lane: Lane; type: string; kept: KeptRows }>();

  constructor(sql: StatementCache, ruleOf: (type: string) => RetentionRule, nowMs: () => number) {
    this.#sql = sql;
    this.#ruleOf = ruleOf;
    this.#nowMs = nowMs;
  }

  forget(): void {
    this.#kept.clear();
  }

  /** The rows after `afterSeq` up to `upToSeq` are the coordinator's now. Each row is looked at once in its life. */
  take(lane: Lane, afterSeq: number, upToSeq: number): { rows: number; bytes: number } {
    const total = { rows: 0, bytes: 0 };
    const stretches = this.#sql.iterate<Stretch & { type: string }>(
      `SELECT type, count(*) AS rows, sum(${storedBytesSql}) AS bytes, min(seq) AS firstSeq, max(seq) AS lastSeq,
              min(timestamp_ms) AS firstMs, max(timestamp_ms) AS newestMs
       FROM outbox WHERE lane = ? AND seq > ? AND seq <= ?
       GROUP BY seq / ${stretchNumbers}, type ORDER BY seq / ${stretchNumbers}`,
      lane,
      afterSeq,
      upToSeq,
    );
    for (const { type, ...stretch } of stretches) {
      const name = `${lane} ${type}`;
      let entry = this.#kept.get(name);
      if (entry === undefined) {
        entry = { lane, type, kept: new KeptRows() };
        this.#kept.set(name, entry);
      }
      entry.kept.add(stretch);
      total.rows += stretch.rows;
      total.bytes += stretch.bytes;
    }
    return total;
  }

  /** Takes away what is kept no longer, a bounded piece of it. */
  prune(): void {
    let room = maxPrunedRows;
    for (const { lane, type, kept } of this.#kept.values()) {
      const { keepRows, keepBytes, keepSeconds } = this.#ruleOf(type);
      const limit = { keepRows, keepBytes, sinceMs: this.#nowMs() - keepSeconds * 1_000 };
      while (room > 0 && kept.exceeds(limit)) {
        const gone = kept.oldestGoesWhole(limit)
          ? this.#dropStretch(lane, type, kept)
          : this.#trimStretch(lane, type, kept, limit);
        if (gone === 0) break;
        room -= gone;
      }
    }
  }

  /** Takes away kept rows whatever the rules say, until `bytes` are free; returns what is. */
  sacrifice(bytes: number): number {
    let freed = 0;
    for (const { lane, type, kept } of this.#kept.values()) {
      while (freed < bytes && kept.oldest !== undefined) {
        freed += kept.oldest.bytes;
        this.#dropStretch(lane, type, kept);
      }
    }
    return freed;
  }

  #dropStretch(lane: Lane, type: string, kept: KeptRows): number {
    const { firstSeq, lastSeq, rows } = kept.oldest!;
    this.#delete(lane, type, firstSeq, lastSeq);
    kept.dropOldest();
    return rows;
  }

  /** The oldest rows of the stretch in which a limit lies. */
  #trimStretch(lane: Lane, type: string, kept: KeptRows, limit: KeepLimit): number {
    const { firstSeq, lastSeq } = kept.oldest!;
    const records = this.#sql.all<{ seq: number; bytes: number; timestampMs: number }>(
      `SELECT seq, ${storedBytesSql} AS bytes, timestamp_ms AS timestampMs FROM outbox
       WHERE lane = ? AND seq BETWEEN ? AND ? AND type = ? ORDER BY seq`,
      lane,
      firstSeq,
      lastSeq,
      type,
    );
    const gone = { rows: 0, bytes: 0 };
    for (const { bytes, timestampMs } of records) {
      const within = kept.rows - gone.rows <= limit.keepRows && kept.bytes - gone.bytes <= limit.keepBytes;
      if (within && timestampMs >= limit.sinceMs) break;
      gone.rows += 1;
      gone.bytes += bytes;
    }
    const next = records[gone.rows];
    if (next === undefined) return this.#dropStretch(lane, type, kept);
    if (gone.rows > 0) this.#delete(lane, type, firstSeq, next.seq - 1);
    kept.trimOldest(gone, next);
    return gone.rows;
  }

  #delete(lane: Lane, type: string, firstSeq: number, lastSeq: number): void {
    this.#sql.run(
      'DELETE FROM outbox WHERE lane = ? AND seq BETWEEN ? AND ? AND type = ?',
      lane,
      firstSeq,
      lastSeq,
      type,
    );
  }
}
