import type { DatabaseSync } from 'node:sqlite';

/**
 * Counters in memory beside a database whose transactions belong to somebody else: a caller may roll back what was
 * done here, and SQLite says so to nobody. A number in a table that lives in memory alone takes part in every
 * transaction, and costs no flash: when it is not the number that was last written, something was rolled back.
 */
export class TransactionWitness {
  readonly #database: DatabaseSync;
  readonly #read: () => number;
  readonly #write: () => number;
  readonly #readOthers: () => number;
  #version: number;
  /** SQLite's count of commits by other connections. */
  #others: number;
  /** What puts memory back to a version; only of transactions that may still be rolled back. */
  #undos: { version: number; undo: () => void }[] = [];
  /** Something was changed here in a transaction whose end was not seen yet. */
  #open = false;

  constructor(database: DatabaseSync) {
    this.#database = database;
    database.exec(`
      PRAGMA temp_store = MEMORY;
      CREATE TEMP TABLE IF NOT EXISTS log_witness (version INTEGER NOT NULL);
      INSERT INTO log_witness SELECT 0 WHERE NOT EXISTS (SELECT * FROM log_witness);
    `);
    this.#read = numberOf(database, 'SELECT version FROM log_witness');
    this.#write = numberOf(database, 'UPDATE log_witness SET version = version + 1 RETURNING version');
    this.#version = this.#read();
    this.#readOthers = numberOf(database, 'PRAGMA data_version');
    this.#others = this.#readOthers();
  }

  /** Before memory is looked at: takes back what was rolled back. False: memory has to be read from the tables anew. */
  settle(): boolean {
    return !this.#open || this.#takeBack();
  }

  /** The same before numbers are given out: also of what other connections have written, though nobody else should. */
  settleForChange(): boolean {
    if (!this.settle()) return false;
    const others = this.#readOthers();
    if (others === this.#others) return true;
    this.#others = others;
    return false;
  }

  #takeBack(): boolean {
    const version = this.#read();
    while (this.#version !== version) {
      const last = this.#undos.pop();
      if (last === undefined) {
        this.#version = version;
        return false;
      }
      last.undo();
      this.#version = last.version;
    }
    if (!this.#database.isTransaction) {
      this.#undos = [];
      this.#open = false;
    }
    return true;
  }

  /** Before the tables are changed. A failure between here and `changed` is noticed by the next `settle`. */
  change(): { changed(undo: () => void): void } {
    const before = this.#version;
    this.#open = true;
    const after = this.#write();
    return {
      changed: (undo) => {
        this.#version = after;
        if (this.#database.isTransaction) this.#undos.push({ version: before, undo });
      },
    };
  }
}

/** A statement of one number. As an array, because the names of an object's members are made anew for each row. */
function numberOf(database: DatabaseSync, sql: string): () => number {
  const statement = database.prepare(sql);
  statement.setReturnArrays(true);
  return () => Number((statement.get() as unknown as [unknown])[0]);
}
