import type { OperatorRow } from './row.ts';
import type { Statements } from './statement.ts';

export function writeOperator(statements: Statements, operator: OperatorRow): void {
  statements.get('INSERT OR REPLACE INTO operator VALUES (?,?)').run(operator.name, JSON.stringify(operator));
}

export function readOperators(statements: Statements): OperatorRow[] {
  const rows = statements.get('SELECT document FROM operator ORDER BY name').all();
  return rows.map((row) => JSON.parse(String(row['document'])) as OperatorRow);
}
