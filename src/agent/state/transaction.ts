import type { DatabaseSync } from 'node:sqlite';

/** Runs `work` in one transaction, or within the open one. What it throws rolls back and goes on to the caller. */
export function transact<Result>(db: DatabaseSync, work: () => Result): Result {
  if (db.isTransaction) return work();
  db.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}
