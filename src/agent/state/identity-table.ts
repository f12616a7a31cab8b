import type { DatabaseSync } from 'node:sqlite';
import { newIdentity, type IdentityRecord } from '../identity/identity-record.ts';

/** The one record of the device's identity. Its keys are files; nothing secret stands here. */
export interface IdentityTable {
  read(): IdentityRecord;
  write(record: IdentityRecord): void;
}

export function createIdentityTable(db: DatabaseSync): IdentityTable {
  const read = db.prepare('SELECT record FROM agent_identity WHERE one = 1');
  const write = db.prepare(
    'INSERT INTO agent_identity (one, record) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET record = excluded.record',
  );
  return {
    read() {
      const row = read.get();
      return row === undefined ? newIdentity : (JSON.parse(String(row['record'])) as IdentityRecord);
    },
    write(record) {
      write.run(JSON.stringify(record));
    },
  };
}
