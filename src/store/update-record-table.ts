import type { UpdateRecordRow } from './row.ts';
import type { Statements } from './statement.ts';

/** Of each device; the oldest go, those of refused offers before all others. */
export const keptUpdateRecords = 200;

/** The newest first; what is left out is not asked for. */
export interface UpdateRecordQuery {
  deviceId: string;
  source?: string;
  state?: string;
  sinceMs?: number;
  limit: number;
}

/** What is known already of the same end of an update stays where the new row does not say. */
export function writeUpdateRecord(statements: Statements, row: UpdateRecordRow): void {
  const { deviceId, id, endedAtMs, document } = row;
  statements
    .get(
      `INSERT INTO update_record VALUES (:device, :ended, :id, :document)
       ON CONFLICT (device, ended_ms, id) DO UPDATE SET document = json_patch(document, excluded.document)`,
    )
    .run({ device: deviceId, ended: endedAtMs, id, document: JSON.stringify(document) });
  statements
    .get(
      `DELETE FROM update_record WHERE device = :device AND (ended_ms, id) <= (
         SELECT ended_ms, id FROM update_record WHERE device = :device ORDER BY ended_ms DESC, id DESC LIMIT 1 OFFSET :kept)`,
    )
    .run({ device: deviceId, kept: keptUpdateRecords });
}

export function readUpdateRecords(statements: Statements, query: UpdateRecordQuery): unknown[] {
  const { deviceId, source = null, state = null, sinceMs = 0, limit } = query;
  return statements
    .get(
      `SELECT document FROM update_record WHERE device = :device AND document ->> '$.endedAtMs' >= :since
       AND (:source IS NULL OR document ->> '$.source' = :source)
       AND (:state IS NULL OR document ->> '$.state' = :state)
       ORDER BY document ->> '$.endedAtMs' DESC, id DESC LIMIT :limit`,
    )
    .all({ device: deviceId, source, state, since: sinceMs, limit })
    .map((row) => JSON.parse(String(row['document'])) as unknown);
}
