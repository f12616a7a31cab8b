import { statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openDatabase } from '../../../src/store/database.ts';
import { writeDocument, writeMember } from '../../../src/store/document-table.ts';
import { readDeviceJobs } from '../../../src/store/job-table.ts';
import { migrations } from '../../../src/store/migration.ts';
import { Statements } from '../../../src/store/statement.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

/** A page in the write-ahead log, with its header. */
const framedPageBytes = 4_096 + 24;

interface PastJob {
  id: string;
  startedAtMs: number;
  /** In order of position. */
  devices: readonly string[];
}

function writeJob(statements: Statements, { id, startedAtMs, devices }: PastJob): void {
  writeDocument(statements, 'job', { id, active: false, startedAtMs, document: { id } });
  for (const [position, deviceId] of devices.entries()) {
    writeMember(statements, 'job', { parentId: id, position, deviceId, document: `{"of":"${id}"}`, output: '{}' });
  }
}

const namesOf = (statements: Statements, deviceId: string, limit: number): string[] =>
  readDeviceJobs(statements, deviceId, limit).map(({ member }) => member.parentId);

describe('the jobs of a device', () => {
  it('are those that it was part of, wherever in them it stood, the newest first', async () => {
    await using directory = await temporaryDirectory();
    let files = 0;
    const past = fc.array(
      fc.record({
        startedAtMs: fc.nat(5),
        devices: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 4 }),
      }),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(past, fc.nat(8), (rows, limit) => {
        files += 1;
        using database = openDatabase({ path: join(directory.path, `${files}.db`) });
        const statements = new Statements(database);
        const jobs = rows.map((row, number): PastJob => ({ ...row, id: `job-${String(number).padStart(2, '0')}` }));
        database.exec('BEGIN');
        for (const job of jobs) writeJob(statements, job);
        database.exec('COMMIT');
        const newest = jobs.toSorted((a, b) => b.startedAtMs - a.startedAtMs || (a.id < b.id ? 1 : -1));
        for (const deviceId of ['a', 'b', 'c', 'd']) {
          const expected = newest.filter(({ devices }) => devices.includes(deviceId)).slice(0, limit);
          expect(namesOf(statements, deviceId, limit)).toEqual(expected.map(({ id }) => id));
        }
      }),
      { numRuns: 20 },
    );
  });

  it('are looked up job by job: neither a long history nor a large job is walked through', async () => {
    await using directory = await temporaryDirectory();
    using database = openDatabase({ path: join(directory.path, 'flotilla.db') });
    const statements = new Statements(database);
    const fleet = Array.from({ length: 20 }, (_, number) => `gw-${number}`);
    database.exec('BEGIN');
    for (let number = 0; number < 3_000; number += 1) {
      const devices = number === 7 ? [...fleet, 'once'] : fleet;
      writeJob(statements, { id: `job-${number}`, startedAtMs: number, devices });
    }
    database.exec('COMMIT');
    expect(namesOf(statements, 'gw-3', 2)).toEqual(['job-2999', 'job-2998']);
    expect(namesOf(statements, 'once', 50)).toEqual(['job-7']);
    expect(namesOf(statements, 'never', 50)).toEqual([]);
    // What one job more writes stays together, whatever was before.
    database.exec('PRAGMA wal_checkpoint(TRUNCATE); BEGIN');
    writeJob(statements, { id: 'job-3000', startedAtMs: 3_000, devices: fleet });
    database.exec('COMMIT');
    const frames = statSync(join(directory.path, 'flotilla.db-wal')).size / framedPageBytes;
    expect(frames).toBeLessThan(12);
  });

  it('of a database of before are found as ever', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'flotilla.db');
    const old = new DatabaseSync(path);
    const steps = migrations.slice(
      0,
      migrations.findIndex((step) => typeof step === 'string' && step.includes('DROP INDEX job_device_device')),
    );
    for (const step of steps) {
      if (typeof step === 'string') old.exec(step);
      else step(old);
    }
    old.exec(`PRAGMA application_id = 1179406164; PRAGMA user_version = ${steps.length}`);
    const statements = new Statements(old);
    writeJob(statements, { id: 'job-1', startedAtMs: 1, devices: ['a', 'b'] });
    writeJob(statements, { id: 'job-2', startedAtMs: 2, devices: ['b'] });
    old.close();

    using database = openDatabase({ path });
    const anew = new Statements(database);
    expect(namesOf(anew, 'b', 9)).toEqual(['job-2', 'job-1']);
    expect(readDeviceJobs(anew, 'a', 9)).toEqual([
      { job: { id: 'job-1' }, member: { parentId: 'job-1', position: 0, deviceId: 'a', document: { of: 'job-1' } } },
    ]);
  });
});
