/** After a rollback of the firmware the agent of the version before starts on this database, and this one again on it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import { openDeviceDatabase } from '../../../src/eventlog/index.ts';
import { createDeviceLog } from '../../../src/eventlog/sqlite-device-log.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const row = { type: 'reading', key: '', timestampMs: 1, schema: 0n, payload: Buffer.from('now') };

it('lets the version before write to this database, and goes on with what it wrote', async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, 'agent.db');
  const tables = await readFile(join(import.meta.dirname, '../../vectors/eventlog/device-0.1.0-a.sql'), 'utf8');
  // It makes the database, with one row that may have left and one that was acknowledged.
  const first = new DatabaseSync(path);
  first.exec(tables);
  first.exec("INSERT INTO log_identity (one, instance) VALUES (1, '00000000000000aa')");
  appendAsBefore(first, 2);
  first.exec('UPDATE outbox_cursor SET acked_seq = 1 WHERE lane = 3');
  first.close();

  const ours = openDeviceDatabase(path);
  const log = createDeviceLog(ours);
  expect(log.instanceId).toBe(0xaan);
  // Nobody knows what of it was sent: all of it may have been.
  expect(log.sentSeq()).toEqual([0, 0, 0, 2]);
  expect(log.append(3, row)).toBe(3);
  log.receive(7n, 0, 1, row);
  log.attempt(log.unsettled()[0]!);
  log.bury(3, 2, 'no');
  ours.close();

  const before = new DatabaseSync(path);
  before.exec(tables); // what it does at each start
  appendAsBefore(before, 1);
  expect(before.prepare('SELECT next_seq, acked_seq FROM outbox_cursor ORDER BY lane').all().at(3)).toEqual({
    next_seq: 5,
    acked_seq: 1,
  });
  expect(before.prepare('SELECT * FROM log_identity').get()).toMatchObject({
    instance: '00000000000000aa',
    renewed: 0,
  });
  expect(before.prepare('SELECT * FROM inbox ORDER BY arrival').all()).toHaveLength(1);
  before.prepare('DELETE FROM inbox WHERE coordinator = ? AND lane = ? AND seq = ?').run('0000000000000007', 0, 1);
  before
    .prepare('UPDATE outbox_cursor SET acked_seq = ?1 WHERE lane = ?2 AND acked_seq < ?1 AND next_seq > ?1')
    .run(4, 3);
  before.prepare('DELETE FROM outbox WHERE lane = ? AND seq <= ?').run(3, 3);
  before.close();

  const again = openDeviceDatabase(path);
  const goesOn = createDeviceLog(again);
  goesOn.countCrashes(); // the attempt of a request that the other one has settled is forgotten
  expect(again.prepare('SELECT count(*) AS n FROM inbox_attempt').get()).toEqual({ n: 0 });
  expect(goesOn.ackedSeq()[3]).toBe(4);
  expect(goesOn.sentSeq()[3]).toBe(4);
  expect(goesOn.append(3, row)).toBe(5);
  again.close();
});

/** The statements of that version, word for word. */
function appendAsBefore(database: DatabaseSync, count: number): void {
  const next = 'UPDATE outbox_cursor SET next_seq = next_seq + 1 WHERE lane = ? RETURNING next_seq - 1 AS seq';
  for (let n = 0; n < count; n += 1) {
    const { seq } = database.prepare(next).get(3) as { seq: number };
    const insert = database.prepare('INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?, ?)');
    insert.run(3, seq, 'reading', '', 1, null, Buffer.from('before'));
  }
}
