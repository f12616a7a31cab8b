import type { ConsumerRow } from './row.ts';
import type { Statements } from './statement.ts';

export function writeConsumer(statements: Statements, consumer: ConsumerRow): void {
  statements
    .get('INSERT OR REPLACE INTO consumer VALUES (?,?,?,?,?,?,?,?,?)')
    .run(
      consumer.name,
      consumer.offset,
      consumer.given,
      JSON.stringify(consumer.filter),
      consumer.version ?? null,
      JSON.stringify(consumer.open),
      JSON.stringify(consumer.tried),
      consumer.createdAtMs,
      consumer.updatedAtMs,
    );
}

export function removeConsumer(statements: Statements, name: string): void {
  statements.get('DELETE FROM consumer WHERE name = ?').run(name);
}

export function readConsumers(statements: Statements): ConsumerRow[] {
  const rows = statements.get('SELECT * FROM consumer ORDER BY name').all();
  return rows.map((row) => ({
    name: String(row['name']),
    offset: Number(row['offset']),
    given: Number(row['given']),
    filter: JSON.parse(String(row['filter'])),
    ...(row['version'] === null ? {} : { version: String(row['version']) }),
    open: JSON.parse(String(row['open'])),
    tried: JSON.parse(String(row['tried'])),
    createdAtMs: Number(row['created_ms']),
    updatedAtMs: Number(row['updated_ms']),
  }));
}
