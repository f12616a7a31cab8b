import type { DatabaseSync } from 'node:sqlite';

/** Small facts that outlive the process: the digest of the grains that were sent last. */
export interface ValueTable {
  get(name: string): string | undefined;
  set(name: string, value: string): void;
}

export function createValueTable(db: DatabaseSync): ValueTable {
  const read = db.prepare('SELECT value FROM agent_value WHERE name = ?');
  const write = db.prepare(
    'INSERT INTO agent_value (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
  );
  return {
    get(name) {
      const row = read.get(name);
      return row === undefined ? undefined : String(row['value']);
    },
    set(name, value) {
      write.run(name, value);
    },
  };
}
