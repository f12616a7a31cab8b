import type { StatementCache } from './statement-cache.ts';

export type TallyName = 'dropped_rows' | 'dead_rows';

/** What is counted over the life of the database. */
export class Tally {
  readonly #sql: StatementCache;

  constructor(sql: StatementCache) {
    this.#sql = sql;
  }

  get(name: TallyName): number {
    return this.#sql.get<{ value: number }>('SELECT value FROM log_tally WHERE name = ?', name)?.value ?? 0;
  }

  add(name: TallyName, count: number): void {
    const sql = 'INSERT INTO log_tally VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = value + ?2';
    this.#sql.run(sql, name, count);
  }
}
