import type { Lane } from '../protocol/lane.ts';
import { storedBytesSql } from './log-limit.ts';
import type { StatementCache } from './statement-cache.ts';
import type { Tally } from './tally.ts';

const maxRows = 1_000;
const maxBytes = 4 * 1024 * 1024;

/** Events that the coordinator has refused: it keeps them as dead letters of its own, here stay the last of them. */
export class DeadRows {
  readonly #sql: StatementCache;
  readonly #tally: Tally;

  constructor(sql: StatementCache, tally: Tally) {
    this.#sql = sql;
    this.#tally = tally;
  }

  bury(lane: Lane, seq: number, reason: string): void {
    const buried = this.#sql.run(
      `INSERT OR IGNORE INTO outbox_dead
       SELECT (SELECT instance FROM log_identity), lane, seq, type, key, timestamp_ms, schema, payload, ?
       FROM outbox WHERE lane = ? AND seq = ?`,
      reason,
      lane,
      seq,
    );
    if (buried === 0) return;
    this.#tally.add('dead_rows', buried);
    // The newest by their own time: a thousand rows at most are looked at, and a refusal is rare.
    this.#sql.run(
      `DELETE FROM outbox_dead WHERE (instance, lane, seq) IN (
         SELECT instance, lane, seq FROM (
           SELECT instance, lane, seq, row_number() OVER newest AS n, sum(${storedBytesSql}) OVER newest AS bytes
           FROM outbox_dead WINDOW newest AS (ORDER BY timestamp_ms DESC, seq DESC ROWS UNBOUNDED PRECEDING))
         WHERE n > ? OR bytes > ?)`,
      maxRows,
      maxBytes,
    );
  }
}
