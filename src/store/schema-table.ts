import type { SQLOutputValue } from 'node:sqlite';
import type { ParkedRow, SchemaRow } from './row.ts';
import type { Statements } from './statement.ts';

type Columns = Record<string, SQLOutputValue>;

export function writeSchema(statements: Statements, schema: SchemaRow): void {
  statements
    .get('INSERT OR REPLACE INTO schema VALUES (?,?,?,?,?,?,?,?,?)')
    .run(
      schema.sha256,
      schema.fingerprint,
      schema.type,
      schema.version ?? null,
      schema.state,
      schema.source,
      schema.text,
      schema.createdAtMs,
      schema.reviewedAtMs ?? null,
    );
}

/** In order of age. */
export function readSchemas(statements: Statements): SchemaRow[] {
  return (statements.get('SELECT * FROM schema ORDER BY type, version, created_ms').all() as Columns[]).map((row) => ({
    sha256: String(row['sha256']),
    fingerprint: String(row['fingerprint']),
    type: String(row['type']),
    ...(row['version'] === null ? {} : { version: Number(row['version']) }),
    state: String(row['state']) as SchemaRow['state'],
    source: String(row['source']),
    text: String(row['text']),
    createdAtMs: Number(row['created_ms']),
    ...(row['reviewed_ms'] === null ? {} : { reviewedAtMs: Number(row['reviewed_ms']) }),
  }));
}

export function writeParked(statements: Statements, parked: ParkedRow): void {
  const { fingerprint, events, firstAtMs, lastAtMs, deviceId, asked } = parked;
  statements
    .get('INSERT OR REPLACE INTO parked_schema VALUES (?,?,?,?,?,?)')
    .run(fingerprint, events, firstAtMs, lastAtMs, deviceId, JSON.stringify(asked));
}

export function removeParked(statements: Statements, fingerprint: string): void {
  statements.get('DELETE FROM parked_schema WHERE fingerprint = ?').run(fingerprint);
}

export function readParked(statements: Statements): ParkedRow[] {
  return (statements.get('SELECT * FROM parked_schema').all() as Columns[]).map((row) => ({
    fingerprint: String(row['fingerprint']),
    events: Number(row['events']),
    firstAtMs: Number(row['first_ms']),
    lastAtMs: Number(row['last_ms']),
    deviceId: String(row['device']),
    asked: JSON.parse(String(row['asked'])),
  }));
}
