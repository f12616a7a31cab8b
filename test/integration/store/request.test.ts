import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openDatabase } from '../../../src/store/database.ts';
import { removeDevice } from '../../../src/store/device-table.ts';
import { migrations } from '../../../src/store/migration.ts';
import {
  readLastRequestRow,
  readPastRequest,
  readRequests,
  readRequestSeqs,
  removeRequest,
  writeRequest,
} from '../../../src/store/request-table.ts';
import type { RequestRow } from '../../../src/store/row.ts';
import { Statements } from '../../../src/store/statement.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const lane = 0;

function requestOf(row: number, deviceId: string, seq?: number): RequestRow {
  const place = { row, deviceId, lane, ...(seq === undefined ? {} : { seq }) };
  return { ...place, type: 'job.run', key: `job-${row}`, payload: `{"row":${row}}`, createdAtMs: row, expiresAtMs: 9 };
}

describe('settled requests', () => {
  it('are found by the number that their device knows, for as long as it may still give them up', async () => {
    await using directory = await temporaryDirectory();
    let files = 0;
    const device = fc.constantFrom('a', 'b', 'c');
    await fc.assert(
      fc.asyncProperty(fc.array(device, { minLength: 1, maxLength: 600 }), async (devices) => {
        files += 1;
        using database = openDatabase({ path: join(directory.path, `${files}.db`) });
        const statements = new Statements(database);
        const sent: Record<string, RequestRow[]> = { a: [], b: [], c: [] };
        database.exec('BEGIN');
        for (const [index, deviceId] of devices.entries()) {
          const seq = sent[deviceId]!.length + 1;
          const request = requestOf(index + 1, deviceId, seq);
          sent[deviceId]!.push(request);
          writeRequest(statements, request);
          removeRequest(statements, request, [seq, 0, 0, 0]);
          removeRequest(statements, request, [seq, 0, 0, 0]); // once more changes nothing
        }
        database.exec('COMMIT');
        for (const [deviceId, requests] of Object.entries(sent)) {
          const found = requests.map(({ seq }) => readPastRequest(statements, deviceId, lane, seq!));
          const { type, key, payload, createdAtMs, expiresAtMs } = requests.at(-1) ?? requestOf(0, '');
          if (requests.length > 0) expect(found.at(-1)).toEqual({ type, key, payload, createdAtMs, expiresAtMs });
          expect(found.slice(-64).map((past) => past?.key)).toEqual(requests.slice(-64).map((request) => request.key));
          const kept = found.filter((past) => past !== undefined).length;
          expect(kept).toBeLessThanOrEqual(128);
          const stored = database.prepare('SELECT count(*) AS rows FROM request WHERE device = ?').get(deviceId);
          expect(stored).toEqual({ rows: kept });
        }
        expect(readRequests(statements)).toEqual([]);
        expect(readLastRequestRow(statements)).toBe(devices.length);
      }),
      { numRuns: 12 },
    );
  });

  it('go with their device, and those of no other; what was withdrawn before it was sent leaves nothing', async () => {
    await using directory = await temporaryDirectory();
    using database = openDatabase({ path: join(directory.path, 'flotilla.db') });
    const statements = new Statements(database);
    const requests = [requestOf(1, 'a', 1), requestOf(2, 'b', 1), requestOf(3, 'a', 2), requestOf(4, 'b', 2)];
    for (const request of requests) writeRequest(statements, request);
    writeRequest(statements, requestOf(5, 'b'));
    for (const request of requests.slice(0, 3)) removeRequest(statements, request, [2, 0, 0, 0]);
    expect(readRequests(statements)).toEqual([requestOf(4, 'b', 2), requestOf(5, 'b')]);

    removeRequest(statements, requestOf(5, 'b'), [2, 0, 0, 0]);
    removeDevice(statements, 'a');
    const rows = database.prepare('SELECT row, device, settled FROM request').all();
    expect(rows).toEqual([
      { row: 2, device: 'b', settled: 1 },
      { row: 4, device: 'b', settled: 0 },
    ]);
    removeRequest(statements, requestOf(3, 'a', 2), [2, 0, 0, 0]); // its device is gone
    expect(readRequestSeqs(statements)).toEqual([{ deviceId: 'b', seq: [2, 0, 0, 0] }]);
    expect(readPastRequest(statements, 'b', lane, 1)?.key).toBe('job-2');
  });

  it('of a database of before are found as ever, and are the oldest', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'flotilla.db');
    const old = new DatabaseSync(path);
    const steps = migrations.slice(
      0,
      migrations.findIndex((step) => typeof step === 'string' && step.includes('DROP TABLE request_past')),
    );
    for (const step of steps) {
      if (typeof step === 'string') old.exec(step);
      else step(old);
    }
    old.exec(`PRAGMA application_id = 1179406164; PRAGMA user_version = ${steps.length}`);
    const insert = old.prepare('INSERT INTO request_past VALUES (?,?,?,?,?,?,?,?)');
    for (const seq of [9, 10, 11]) {
      for (const device of ['b', 'a']) insert.run(device, lane, seq, 'job.run', `${device}-${seq}`, '{}', 1, 2);
    }
    for (const device of ['a', 'b', 'c']) old.exec(`INSERT INTO request_seq VALUES ('${device}', '[12,0,0,0]')`);
    old.exec(`INSERT INTO request VALUES (1, 'a', 0, 12, 'job.run', 'a-12', '{}', 1, 2)`);
    old.close();

    using database = openDatabase({ path });
    const statements = new Statements(database);
    expect(readRequests(statements).map(({ key }) => key)).toEqual(['a-12']);
    expect(readLastRequestRow(statements)).toBe(1);
    removeRequest(statements, { row: 1, deviceId: 'a', lane, seq: 12 }, [12, 0, 0, 0]);
    const keys = (deviceId: string) =>
      [8, 9, 10, 11, 12].map((seq) => readPastRequest(statements, deviceId, lane, seq)?.key);
    expect(keys('a')).toEqual([undefined, 'a-9', 'a-10', 'a-11', 'a-12']);
    expect(keys('b')).toEqual([undefined, 'b-9', 'b-10', 'b-11', undefined]);
    expect(keys('c')).toEqual([undefined, undefined, undefined, undefined, undefined]);
    removeDevice(statements, 'a');
    removeDevice(statements, 'b');
    expect(database.prepare('SELECT count(*) AS rows FROM request').get()).toEqual({ rows: 0 });
  });
});
