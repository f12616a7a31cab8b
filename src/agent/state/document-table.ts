import type { DatabaseSync } from 'node:sqlite';
import type { ConfigEvent } from '../../protocol/event.ts';

/** A configuration document of this device. */
export interface DocumentRecord {
  name: string;
  /** Changes on this device; 0: it has none yet. */
  revision: number;
  /** Null while it has none. */
  document: unknown;
  /** The last desired version that the product has taken up; 0 for none. */
  desiredVersion: number;
  /** How the last word of the product came about; absent while it has said nothing. */
  state?: ConfigEvent['state'];
  reason?: string;
  /** The highest version that was decided on, applied or rejected: one that comes again is old. */
  decidedVersion: number;
  /** What the operator wants, until the product has decided. */
  pending?: { version: number; baseRevision: number; document: unknown };
}

export interface DocumentTable {
  get(name: string): DocumentRecord | undefined;
  /** In order of name. */
  all(): DocumentRecord[];
  put(record: DocumentRecord): void;
}

export function createDocumentTable(db: DatabaseSync): DocumentTable {
  const one = db.prepare('SELECT record FROM agent_document WHERE name = ?');
  const all = db.prepare('SELECT record FROM agent_document ORDER BY name');
  const put = db.prepare(
    'INSERT INTO agent_document (name, record) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET record = excluded.record',
  );
  const read = (row: Record<string, unknown>) => JSON.parse(String(row['record'])) as DocumentRecord;
  return {
    get(name) {
      const row = one.get(name);
      return row === undefined ? undefined : read(row);
    },
    all: () => all.all().map(read),
    put(record) {
      put.run(record.name, JSON.stringify(record));
    },
  };
}
