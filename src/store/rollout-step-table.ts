import { readDocument, readMembers } from './document-table.ts';
import type { DocumentRow, MemberRow } from './row.ts';
import type { Statements } from './statement.ts';

export interface RolloutStepWrite {
  rolloutId: string;
  /** JSON. */
  step: unknown;
}

/** A rollout with all its devices, and how many of its steps led there. */
export interface RolloutOutcomeRow {
  rollout: DocumentRow;
  members: MemberRow[];
  lastRow: number;
}

export interface RolloutStepPage {
  rolloutId: string;
  afterRow: number;
  upToRow: number;
  limit: number;
}

export interface SurplusSteps {
  /** Ended rollouts that keep theirs. */
  keep: number;
  limit: number;
}

export function writeRolloutStep(statements: Statements, { rolloutId, step }: RolloutStepWrite): void {
  statements.get('INSERT INTO rollout_step (rollout, step) VALUES (?,?)').run(rolloutId, JSON.stringify(step));
}

/** Steps of ended rollouts other than the newest, the first steps of each first: at most `limit`. */
export function readSurplusSteps(statements: Statements, { keep, limit }: SurplusSteps): number[] {
  return statements
    .get(
      `SELECT row FROM rollout_step WHERE rollout IN
         (SELECT id FROM rollout WHERE active = 0 ORDER BY started_ms DESC, id DESC LIMIT -1 OFFSET ?)
       ORDER BY rollout, row LIMIT ?`,
    )
    .all(keep, limit)
    .map(({ row }) => Number(row));
}

export function removeRolloutSteps(statements: Statements, rows: readonly number[]): void {
  const remove = statements.get('DELETE FROM rollout_step WHERE row = ?');
  for (const row of rows) remove.run(row);
}

/** All of one moment: a commit in between would tear them apart. */
export function readRolloutOutcome(statements: Statements, id: string): RolloutOutcomeRow | undefined {
  statements.get('BEGIN').run();
  try {
    const rollout = readDocument(statements, 'rollout', id);
    if (rollout === undefined) return undefined;
    const last = statements.get('SELECT max(row) AS row FROM rollout_step WHERE rollout = ?').get(id);
    return { rollout, members: readMembers(statements, 'rollout', id, false), lastRow: Number(last?.['row'] ?? 0) };
  } finally {
    statements.get('COMMIT').run();
  }
}

export function readRolloutSteps(
  statements: Statements,
  { rolloutId, afterRow, upToRow, limit }: RolloutStepPage,
): { row: number; step: unknown }[] {
  return statements
    .get('SELECT row, step FROM rollout_step WHERE rollout = ? AND row > ? AND row <= ? ORDER BY row LIMIT ?')
    .all(rolloutId, afterRow, upToRow, limit)
    .map(({ row, step }) => ({ row: Number(row), step: JSON.parse(String(step)) as unknown }));
}
