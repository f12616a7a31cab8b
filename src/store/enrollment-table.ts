/** Enrollment: tokens, devices that are to come, and what those that came are bound to. */
import type { BoundGrainRow, EnrollmentTokenRow, PreregistrationRow } from './row.ts';
import type { Statements } from './statement.ts';

export function writeToken(statements: Statements, token: EnrollmentTokenRow): void {
  statements.get('INSERT OR REPLACE INTO enrollment_token VALUES (?,?)').run(token.id, JSON.stringify(token));
}

export function removeToken(statements: Statements, id: string): void {
  statements.get('DELETE FROM enrollment_token WHERE id = ?').run(id);
}

export function readTokens(statements: Statements): EnrollmentTokenRow[] {
  return documentsOf(statements, 'SELECT document FROM enrollment_token ORDER BY id');
}

export function writePreregistration(statements: Statements, row: PreregistrationRow): void {
  statements.get('INSERT OR REPLACE INTO preregistration VALUES (?,?)').run(row.deviceId, JSON.stringify(row));
}

export function removePreregistration(statements: Statements, deviceId: string): void {
  statements.get('DELETE FROM preregistration WHERE device = ?').run(deviceId);
}

export function readPreregistrations(statements: Statements): PreregistrationRow[] {
  return documentsOf(statements, 'SELECT document FROM preregistration ORDER BY device');
}

export function writeBoundGrain(statements: Statements, { deviceId, grains }: BoundGrainRow): void {
  if (Object.keys(grains).length === 0) {
    statements.get('DELETE FROM bound_grain WHERE device = ?').run(deviceId);
    return;
  }
  statements.get('INSERT OR REPLACE INTO bound_grain VALUES (?,?)').run(deviceId, JSON.stringify(grains));
}

export function readBoundGrains(statements: Statements): BoundGrainRow[] {
  const rows = statements.get('SELECT device, grains FROM bound_grain').all();
  return rows.map((row) => ({ deviceId: String(row['device']), grains: JSON.parse(String(row['grains'])) }));
}

function documentsOf<T>(statements: Statements, query: string): T[] {
  return statements
    .get(query)
    .all()
    .map((row) => JSON.parse(String(row['document'])) as T);
}
