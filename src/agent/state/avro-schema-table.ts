import type { DatabaseSync } from 'node:sqlite';

/**
 * Texts of the Avro schemas that events of this device were ever encoded by, by fingerprint: the coordinator may ask
 * for one long after an update has taken its file away. The last `keptSchemas`.
 */
export interface AvroSchemaTable {
  keep(schema: { fingerprint: bigint; text: string }): void;
  text(fingerprint: bigint): string | undefined;
  all(): { fingerprint: bigint; text: string }[];
}

const keptSchemas = 512;

export function createAvroSchemaTable(db: DatabaseSync): AvroSchemaTable {
  const keep = db.prepare(`
    INSERT INTO agent_avro_schema (fingerprint, text) VALUES (?, ?)
    ON CONFLICT (fingerprint) DO UPDATE SET text = excluded.text WHERE text <> excluded.text`);
  const prune = db.prepare(
    'DELETE FROM agent_avro_schema WHERE ordinal <= (SELECT max(ordinal) FROM agent_avro_schema) - ?',
  );
  const one = db.prepare('SELECT text FROM agent_avro_schema WHERE fingerprint = ?');
  const all = db.prepare('SELECT fingerprint, text FROM agent_avro_schema ORDER BY ordinal');
  return {
    keep({ fingerprint, text }) {
      keep.run(hexOf(fingerprint), text);
      prune.run(keptSchemas);
    },
    text(fingerprint) {
      const row = one.get(hexOf(fingerprint));
      return row === undefined ? undefined : String(row['text']);
    },
    all: () =>
      all.all().map((row) => ({ fingerprint: BigInt(`0x${String(row['fingerprint'])}`), text: String(row['text']) })),
  };
}

function hexOf(fingerprint: bigint): string {
  return fingerprint.toString(16).padStart(16, '0');
}
