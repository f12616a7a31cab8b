import type { DatabaseSync } from 'node:sqlite';
import { isTerminal, type Update } from '../updater/update.ts';

/** The update under way (at most one), the last ended ones, and which parts of the bundle are on disk. */
export interface UpdateTable {
  current(): Update | undefined;
  /** The one under way, else the last one that ended. */
  last(): Update | undefined;
  find(rolloutId: string): Update | undefined;
  /** The newest first. */
  newest(limit: number): Update[];
  /** Of an offer that is made anew: its record is another one. */
  forget(rolloutId: string): void;
  /** Writes the record; part marks of an ended update are dropped with it. */
  save(update: Update): void;
  parts(rolloutId: string): Set<number>;
  /** Only after the part's bytes were verified and synced. */
  markPart(rolloutId: string, part: number): void;
  clearParts(rolloutId: string): void;
}

const keptUpdates = 100;

export function createUpdateTable(db: DatabaseSync): UpdateTable {
  const current = db.prepare('SELECT record FROM agent_update WHERE ended = 0');
  const last = db.prepare('SELECT record FROM agent_update ORDER BY ended, ordinal DESC LIMIT 1');
  const find = db.prepare('SELECT record FROM agent_update WHERE rollout_id = ?');
  const newest = db.prepare('SELECT record FROM agent_update ORDER BY ended, ordinal DESC LIMIT ?');
  const forget = db.prepare('DELETE FROM agent_update WHERE rollout_id = ?');
  const save = db.prepare(`
    INSERT INTO agent_update (rollout_id, ended, record) VALUES (:rolloutId, :ended, :record)
    ON CONFLICT (rollout_id) DO UPDATE SET ended = excluded.ended, record = excluded.record`);
  const prune = db.prepare(
    'DELETE FROM agent_update WHERE ended = 1 AND ordinal <= (SELECT max(ordinal) FROM agent_update) - ?',
  );
  const parts = db.prepare('SELECT part FROM agent_update_part WHERE rollout_id = ?');
  const markPart = db.prepare('INSERT OR IGNORE INTO agent_update_part (rollout_id, part) VALUES (?, ?)');
  const clearParts = db.prepare('DELETE FROM agent_update_part WHERE rollout_id = ?');
  const parse = (row: Record<string, unknown> | undefined) =>
    row === undefined ? undefined : (JSON.parse(String(row['record'])) as Update);
  return {
    current: () => parse(current.get()),
    last: () => parse(last.get()),
    find: (rolloutId) => parse(find.get(rolloutId)),
    newest: (limit) => newest.all(limit).map((row) => JSON.parse(String(row['record'])) as Update),
    forget(rolloutId) {
      forget.run(rolloutId);
    },
    save(update) {
      const ended = isTerminal(update.state);
      save.run({ rolloutId: update.rolloutId, ended: ended ? 1 : 0, record: JSON.stringify(update) });
      if (!ended) return;
      clearParts.run(update.rolloutId);
      prune.run(keptUpdates);
    },
    parts: (rolloutId) => new Set(parts.all(rolloutId).map((row) => Number(row['part']))),
    markPart(rolloutId, part) {
      markPart.run(rolloutId, part);
    },
    clearParts(rolloutId) {
      clearParts.run(rolloutId);
    },
  };
}
