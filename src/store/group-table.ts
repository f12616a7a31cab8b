import type { GroupRow } from './row.ts';
import type { Statements } from './statement.ts';

export function writeGroup(statements: Statements, group: GroupRow): void {
  statements.get('INSERT OR REPLACE INTO selector_group VALUES (?,?)').run(group.name, JSON.stringify(group));
}

export function removeGroup(statements: Statements, name: string): void {
  statements.get('DELETE FROM selector_group WHERE name = ?').run(name);
}

export function readGroups(statements: Statements): GroupRow[] {
  const rows = statements.get('SELECT document FROM selector_group ORDER BY name').all();
  return rows.map(({ document }) => JSON.parse(String(document)) as GroupRow);
}
