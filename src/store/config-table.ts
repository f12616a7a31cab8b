import type { SQLOutputValue } from 'node:sqlite';
import type { ConfigRow } from './row.ts';
import type { Statements } from './statement.ts';

type Columns = Record<string, SQLOutputValue>;

export function writeConfig(statements: Statements, config: ConfigRow): void {
  statements
    .get('INSERT OR REPLACE INTO config_document VALUES (?,?,?)')
    .run(config.deviceId, config.name, JSON.stringify(config.document));
}

export function removeConfigs(statements: Statements, deviceId: string): void {
  statements.get('DELETE FROM config_document WHERE device = ?').run(deviceId);
}

export function readConfigs(statements: Statements): ConfigRow[] {
  return (statements.get('SELECT * FROM config_document ORDER BY device, name').all() as Columns[]).map((row) => ({
    deviceId: String(row['device']),
    name: String(row['name']),
    document: JSON.parse(String(row['document'])),
  }));
}
