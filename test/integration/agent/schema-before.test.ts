/**
 * After a way back the agent of the version before opens this database. Its tables (a vector, never changed again; the
 * next version adds one) are compared with what this version makes, and its own statements run on them.
 */
import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import { ensureAgentSchema } from '../../../src/agent/state/agent-schema.ts';
import { openDeviceDatabase } from '../../../src/eventlog/index.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const folder = join(import.meta.dirname, '../../vectors/agent');

interface Column {
  name: string;
  type: string;
  notnull: number;
  dflt_value: string | null;
  pk: number;
}

const columnsOf = (db: DatabaseSync, table: string) =>
  db
    .prepare('SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_info(?)')
    .all(table) as unknown as Column[];
const namesOf = (db: DatabaseSync, type: string) =>
  db.prepare("SELECT name FROM sqlite_schema WHERE type = ? AND name LIKE 'agent_%'").all(type).map(({ name }) => String(name)); // prettier-ignore

it('is only ever added to', async () => {
  for await (const name of glob('schema-*.sql', { cwd: folder })) {
    await using directory = await temporaryDirectory();
    const text = await readFile(join(folder, name), 'utf8');
    using before = new DatabaseSync(':memory:');
    before.exec(text);
    const ours = openDeviceDatabase(join(directory.path, 'agent.db'));
    ensureAgentSchema(ours);
    for (const table of namesOf(before, 'table')) {
      const [old, now] = [columnsOf(before, table), columnsOf(ours, table)];
      // Also in place: statements of the version before name no columns where they insert whole rows.
      expect(now.slice(0, old.length), `${name}: ${table}`).toEqual(old);
      const added = now.slice(old.length);
      expect(added.filter((column) => column.notnull === 1 && column.dflt_value === null)).toEqual([]);
    }
    // A new UNIQUE index on an old table would refuse what that version writes.
    const known = new Set(namesOf(before, 'table'));
    const added = namesOf(ours, 'index').filter((index) => !namesOf(before, 'index').includes(index));
    for (const index of added) {
      const row = ours.prepare('SELECT tbl_name AS "table", sql FROM sqlite_schema WHERE name = ?').get(index)!;
      expect(known.has(String(row['table'])) && /UNIQUE/.test(String(row['sql'])), index).toBe(false);
    }
    // What that version does at each start, and how it writes: word for word.
    ours.exec(text);
    ours.prepare('INSERT OR REPLACE INTO agent_reverted_bundle VALUES (:bundleUuid, :version, :atMs, :reason)').run({
      bundleUuid: 'u',
      version: '1',
      atMs: 1,
      reason: 'r',
    });
    ours
      .prepare(
        `INSERT INTO agent_update (rollout_id, ended, record) VALUES (:rolloutId, :ended, :record)
         ON CONFLICT (rollout_id) DO UPDATE SET ended = excluded.ended, record = excluded.record`,
      )
      .run({ rolloutId: 'r', ended: 1, record: '{}' });
    // An update of the agent that is under way is none of its business: it sees no update of a firmware.
    ours.exec("INSERT INTO agent_program_update (update_id, ended, record) VALUES ('u1', 0, '{}')");
    expect(ours.prepare('SELECT record FROM agent_update WHERE ended = 0').get()).toBeUndefined();
    ours.close();
  }
});
