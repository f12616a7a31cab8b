import type { DatabaseSync } from 'node:sqlite';

/**
 * Counters in memory beside a database whose transactions may belong to somebody else: a caller may roll back what was
 * done here, and SQLite says so to nobody. A number in a table that lives in memory alone takes part in every
 * transaction, and costs no flash: when it is not the number that was last written, something was rolled back. A
 * transaction of our own (`begin` to `end`) says how it ended, and goes without.
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
  /** What puts memory back to the begin of our own transaction. */
  #ownUndos: (() => void)[] | undefined;
  /** In our own transaction, or in one that was rolled back: memory is not what the tables are. */
  #lost = false;

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

  /** The transaction under way is ours. */
  begin(): void {
    this.#ownUndos = [];
  }

  /** It has ended. */
  end({ committed }: { committed: boolean }): void {
    const undos = this.#ownUndos;
    this.#ownUndos = undefined;
    if (undos === undefined || committed) return;
    for (const undo of undos.toReversed()) undo();
  }

  /** Before memory is looked at: takes back what was rolled back. False: memory has to be read from the tables anew. */
  settle(): boolean {
    const isKept = !this.#open || this.#takeBack();
    if (isKept && !this.#lost) return true;
    this.#lost = false;
    // What is read now may be rolled back with our own transaction.
    if (this.#ownUndos !== undefined) this.#ownUndos = [() => void (this.#lost = true)];
    return false;
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
    const own = this.#ownUndos;
    if (own !== undefined) {
      this.#lost = true;
      return {
        changed: (undo) => {
          this.#lost = false;
          own.push(undo);
        },
      };
    }
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
