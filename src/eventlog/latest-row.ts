import type { Lane } from '../protocol/lane.ts';
import type { StatementCache } from './statement-cache.ts';

/** The newest row of each key, of types of which only the newest matters. An entry may outlive its row. */
export class LatestRows {
  readonly #seqs = new Map<string, number>();

  /** Returns the one before, if any, and remembers the new one. */
  put(lane: Lane, type: string, key: string, seq: number): number | undefined {
    const name = nameOf(lane, type, key);
    const before = this.#seqs.get(name);
    this.#seqs.set(name, seq);
    return before;
  }

  restore(lane: Lane, type: string, key: string, seq: number | undefined): void {
    const name = nameOf(lane, type, key);
    if (seq === undefined) this.#seqs.delete(name);
    else this.#seqs.set(name, seq);
  }

  get size(): number {
    return this.#seqs.size;
  }

  /** Forgets what the coordinator has. */
  sweep(ackedSeq: (lane: Lane) => number): void {
    for (const [name, seq] of this.#seqs) if (seq <= ackedSeq(Number(name[0]) as Lane)) this.#seqs.delete(name);
  }

  /** From the tables: rows of these types behind what the coordinator has of each lane. */
  load(sql: StatementCache, types: readonly string[], ackedSeqs: readonly number[]): void {
    this.#seqs.clear();
    if (types.length === 0) return;
    for (const [n, ackedSeq] of ackedSeqs.entries()) {
      const rows = sql.iterate<{ seq: number; type: string; key: string }>(
        `SELECT seq, type, key FROM outbox
         WHERE lane = ? AND seq > ? AND type IN (SELECT value FROM json_each(?)) ORDER BY seq`,
        n,
        ackedSeq,
        JSON.stringify(types),
      );
      for (const { seq, type, key } of rows) this.put(n as Lane, type, key, seq);
    }
  }
}

/** The length keeps two pairs of type and key apart that read alike when they are joined. */
function nameOf(lane: Lane, type: string, key: string): string {
  return `${lane}${type.length} ${type}${key}`;
}
