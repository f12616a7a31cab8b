import type { DatabaseSync } from 'node:sqlite';
import { hasEnded, type ProgramUpdate } from '../program/program-update.ts';

/**
 * Updates of the agent's own program: the one under way (at most one) and the last ended ones. Not in `agent_update`: an
 * agent of the version before would take one of these for a firmware's, and restart the machine for it.
 */
export interface ProgramUpdateTable {
  current(): ProgramUpdate | undefined;
  find(updateId: string): ProgramUpdate | undefined;
  /** The newest first, the one under way included. */
  newest(limit: number): ProgramUpdate[];
  /** Of an offer that is made anew: its record is another one. */
  forget(updateId: string): void;
  save(update: ProgramUpdate): void;
}

const keptUpdates = 100;

export function createProgramUpdateTable(db: DatabaseSync): ProgramUpdateTable {
  const current = db.prepare('SELECT record FROM agent_program_update WHERE ended = 0');
  const find = db.prepare('SELECT record FROM agent_program_update WHERE update_id = ?');
  const newest = db.prepare('SELECT record FROM agent_program_update ORDER BY ended, ordinal DESC LIMIT ?');
  const forget = db.prepare('DELETE FROM agent_program_update WHERE update_id = ?');
  const save = db.prepare(`
    INSERT INTO agent_program_update (update_id, ended, record) VALUES (:updateId, :ended, :record)
    ON CONFLICT (update_id) DO UPDATE SET ended = excluded.ended, record = excluded.record`);
  const prune = db.prepare(
    'DELETE FROM agent_program_update WHERE ended = 1 AND ordinal <= (SELECT max(ordinal) FROM agent_program_update) - ?',
  );
  const parse = (row: Record<string, unknown> | undefined) =>
    row === undefined ? undefined : (JSON.parse(String(row['record'])) as ProgramUpdate);
  return {
    current: () => parse(current.get()),
    find: (updateId) => parse(find.get(updateId)),
    newest: (limit) => newest.all(limit).map((row) => JSON.parse(String(row['record'])) as ProgramUpdate),
    forget(updateId) {
      forget.run(updateId);
    },
    save(update) {
      const ended = hasEnded(update);
      save.run({ updateId: update.updateId, ended: ended ? 1 : 0, record: JSON.stringify(update) });
      if (ended) prune.run(keptUpdates);
    },
  };
}
