import type { SQLOutputValue } from 'node:sqlite';
import { memberOf } from './document-table.ts';
import type { DocumentRow, MemberRow, ScheduleRow } from './row.ts';
import type { Statements } from './statement.ts';

type Columns = Record<string, SQLOutputValue>;

/** Which jobs; what is left out is not asked for. */
export interface JobQuery {
  state?: string;
  submittedBy?: string;
  schedule?: string;
  sinceMs?: number;
  limit: number;
}

/** The newest first. */
export function readJobs(statements: Statements, query: JobQuery): DocumentRow[] {
  const { state = null, submittedBy = null, schedule = null, sinceMs = 0, limit } = query;
  const rows = statements
    .get(
      `SELECT * FROM job WHERE started_ms >= :since
       AND (:state IS NULL OR document ->> '$.state' = :state)
       AND (:by IS NULL OR document ->> '$.submittedBy' = :by)
       AND (:schedule IS NULL OR document ->> '$.schedule' = :schedule)
       ORDER BY started_ms DESC, id DESC LIMIT :limit`,
    )
    .all({ state, by: submittedBy, schedule, since: sinceMs, limit }) as Columns[];
  return rows.map((row) => ({
    id: String(row['id']),
    active: row['active'] === 1,
    startedAtMs: Number(row['started_ms']),
    document: JSON.parse(String(row['document'])),
  }));
}

/** Devices of a job with their output, in order of position. */
export function readJobDevices(statements: Statements, id: string, from: number, limit: number): MemberRow[] {
  return (
    statements
      .get('SELECT * FROM job_device WHERE parent = ? AND position >= ? ORDER BY position LIMIT ?')
      .all(id, from, limit) as Columns[]
  ).map(memberOf);
}

export interface DeviceJobRow {
  job: unknown;
  member: MemberRow;
}

/**
 * What a device was part of, the newest first; without output. Job by job, so that no row lies by its device: 10,000
 * jobs take 30 ms where it was part of none. Left alone, SQLite walks through all devices of each.
 */
export function readDeviceJobs(statements: Statements, deviceId: string, limit: number): DeviceJobRow[] {
  const rows = statements
    .get(
      `SELECT job.document AS job, parent, position, device, job_device.document AS document, NULL AS output
       FROM job CROSS JOIN job_device INDEXED BY job_device_parent ON parent = job.id
       WHERE device = ? ORDER BY started_ms DESC, job.id DESC LIMIT ?`,
    )
    .all(deviceId, limit) as Columns[];
  return rows.map((row) => ({ job: JSON.parse(String(row['job'])), member: memberOf(row) }));
}

export function writeSchedule(statements: Statements, { name, document }: ScheduleRow): void {
  statements.get('INSERT OR REPLACE INTO schedule VALUES (?,?)').run(name, JSON.stringify(document));
}

export function removeSchedule(statements: Statements, name: string): void {
  statements.get('DELETE FROM schedule WHERE name = ?').run(name);
}

export function readSchedules(statements: Statements): ScheduleRow[] {
  return (statements.get('SELECT * FROM schedule ORDER BY name').all() as Columns[]).map((row) => ({
    name: String(row['name']),
    document: JSON.parse(String(row['document'])),
  }));
}
