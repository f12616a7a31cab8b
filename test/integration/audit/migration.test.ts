import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { ChainVerifier } from '../../../src/audit/index.ts';
import { chainAudit } from '../../../src/store/audit-table.ts';
import { openAuditFile, openStore } from '../../../src/store/index.ts';
import { migrations } from '../../../src/store/migration.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const entry = new URL('../../../src/bin/store-thread.ts', import.meta.url);

describe('a database of before the chain', () => {
  it('keeps its rows as the first links, and says how many were not held by anything', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'flotilla.db');
    const old = new DatabaseSync(path);
    const steps = migrations.slice(0, migrations.indexOf(chainAudit));
    for (const step of steps) if (typeof step === 'string') old.exec(step);
    old.exec(`PRAGMA application_id = 1179406164; PRAGMA user_version = ${steps.length}`);
    const insert = old.prepare('INSERT INTO audit (at_ms, actor, action, subject, detail) VALUES (?,?,?,?,?)');
    for (let n = 1; n <= 5; n += 1) insert.run(n, 'local:0', 'device.tag', `gw-${n}`, JSON.stringify({ n }));
    old.exec('DELETE FROM audit WHERE id = 3'); // a gap in its numbers is none in the chain
    old.close();

    const store = await openStore({ path, entry });
    const { entries } = await store.scanAudit({ filter: {}, direction: 'up', from: 1, to: 99, limit: 99 });
    expect(entries.map(({ seq, action, subject }) => [seq, action, subject])).toEqual([
      [1, 'device.tag', 'gw-1'],
      [2, 'device.tag', 'gw-2'],
      [3, 'device.tag', 'gw-4'],
      [4, 'device.tag', 'gw-5'],
      [5, 'audit.begin', ''],
    ]);
    expect(entries[4]!.detail).toEqual({ rowsOfBefore: 4 });
    await store.close();
    using log = openAuditFile(path);
    const verifier = new ChainVerifier([]);
    for (const row of log.rows()) verifier.push(row);
    expect(verifier.end().problems).toEqual([]);
  });

  it('is named when it was never opened by this version, and when it is none', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'flotilla.db');
    expect(() => openAuditFile(path)).toThrow(expect.objectContaining({ code: 'store-missing' }));
    const old = new DatabaseSync(path);
    for (const step of migrations) if (typeof step === 'string') old.exec(step);
    old.close();
    expect(() => openAuditFile(path)).toThrow(expect.objectContaining({ code: 'store-no-audit' }));
  });
});
