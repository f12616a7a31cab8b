import type { SQLOutputValue } from 'node:sqlite';
import type { DocumentRow, MemberRow, ReleaseRow } from './row.ts';
import type { Statements } from './statement.ts';

type Columns = Record<string, SQLOutputValue>;

/** Jobs and rollouts: a document each, and a row for each of its devices. */
export type DocumentTable = 'job' | 'rollout';

export function writeDocument(statements: Statements, table: DocumentTable, row: DocumentRow): void {
  statements
    .get(`INSERT OR REPLACE INTO ${table} VALUES (?,?,?,?)`)
    .run(row.id, row.active ? 1 : 0, row.startedAtMs, JSON.stringify(row.document));
}

/** A row of a device with its documents as JSON. */
export interface MemberText extends Pick<MemberRow, 'parentId' | 'position' | 'deviceId'> {
  document: string;
  output: string | null;
}

export function writeMember(statements: Statements, table: DocumentTable, row: MemberText): void {
  statements
    .get(
      `INSERT INTO ${table}_device VALUES (?,?,?,?,?) ON CONFLICT (parent, position)
       DO UPDATE SET document = excluded.document, output = CASE
         WHEN excluded.output IS NULL THEN output
         WHEN output IS NULL THEN excluded.output
         ELSE json_patch(output, excluded.output) END`,
    )
    .run(row.parentId, row.position, row.deviceId, row.document, row.output);
}

export function readActiveDocuments(statements: Statements, table: DocumentTable): DocumentRow[] {
  return rowsOf(statements.get(`SELECT * FROM ${table} WHERE active = 1 ORDER BY started_ms, id`).all());
}

/** The newest first. */
export function readDocuments(statements: Statements, table: DocumentTable, limit: number): DocumentRow[] {
  return rowsOf(statements.get(`SELECT * FROM ${table} ORDER BY started_ms DESC, id DESC LIMIT ?`).all(limit));
}

export function readDocument(statements: Statements, table: DocumentTable, id: string): DocumentRow | undefined {
  return rowsOf(statements.get(`SELECT * FROM ${table} WHERE id = ?`).all(id))[0];
}

/** In order of position; `output` only when asked for. */
export function readMembers(statements: Statements, table: DocumentTable, id: string, output: boolean): MemberRow[] {
  const columns = output ? '*' : 'parent, position, device, document, NULL AS output';
  const rows = statements.get(`SELECT ${columns} FROM ${table}_device WHERE parent = ? ORDER BY position`).all(id);
  return (rows as Columns[]).map(memberOf);
}

export function memberOf(row: Columns): MemberRow {
  return {
    parentId: String(row['parent']),
    position: Number(row['position']),
    deviceId: String(row['device']),
    document: JSON.parse(String(row['document'])),
    ...(row['output'] === null ? {} : { output: JSON.parse(String(row['output'])) }),
  };
}

export function writeRelease(statements: Statements, release: ReleaseRow): void {
  statements
    .get('INSERT OR REPLACE INTO release VALUES (?,?,?,?)')
    .run(release.id, release.sha256, release.publishedAtMs, JSON.stringify(release.document));
}

export function readReleases(statements: Statements): ReleaseRow[] {
  const rows = statements.get('SELECT * FROM release ORDER BY published_ms, id').all() as Columns[];
  return rows.map((row) => ({
    id: String(row['id']),
    sha256: String(row['sha256']),
    publishedAtMs: Number(row['published_ms']),
    document: JSON.parse(String(row['document'])),
  }));
}

function rowsOf(rows: Columns[]): DocumentRow[] {
  return rows.map((row) => ({
    id: String(row['id']),
    active: row['active'] === 1,
    startedAtMs: Number(row['started_ms']),
    document: JSON.parse(String(row['document'])),
  }));
}
