import type { DatabaseSync, StatementSync } from 'node:sqlite';

export type SqlValue = string | number | null | Uint8Array;

/** Statements of one database, each prepared when it is first used. */
export class StatementCache {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  get<T extends object>(sql: string, ...values: SqlValue[]): T | undefined {
    return this.#statement(sql).get(...values) as T | undefined;
  }

  all<T extends object>(sql: string, ...values: SqlValue[]): T[] {
    return this.#statement(sql).all(...values) as object[] as T[];
  }

  iterate<T extends object>(sql: string, ...values: SqlValue[]): Iterable<T> {
    return this.#statement(sql).iterate(...values) as Iterable<object> as Iterable<T>;
  }

  /** How many rows it has changed. */
  run(sql: string, ...values: SqlValue[]): number {
    return Number(this.#statement(sql).run(...values).changes);
  }

  /** Runs `work` in the caller's open transaction, or in one of its own. */
  atomically<T>(work: () => T): T {
    const database = this.#database;
    if (database.isTransaction) return work();
    this.run('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.run('COMMIT');
      return result;
    } catch (error) {
      if (database.isTransaction) this.run('ROLLBACK');
      throw error;
    }
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}
