import type { RenewalRow } from './row.ts';
import type { Statements } from './statement.ts';

export function writeRenewal(statements: Statements, renewal: RenewalRow): void {
  statements.get('INSERT OR REPLACE INTO renewal VALUES (?,?)').run(renewal.deviceId, JSON.stringify(renewal));
}

export function removeRenewal(statements: Statements, deviceId: string): void {
  statements.get('DELETE FROM renewal WHERE device = ?').run(deviceId);
}

export function readRenewals(statements: Statements): RenewalRow[] {
  const rows = statements.get('SELECT document FROM renewal ORDER BY device').all();
  return rows.map((row) => JSON.parse(String(row['document'])) as RenewalRow);
}
