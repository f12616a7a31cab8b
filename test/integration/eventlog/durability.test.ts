/** What is on disk when, asked of the kernel. */
import { join } from 'node:path';
import { execa } from 'execa';
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { openDeviceDatabase } from '../../../src/eventlog/index.ts';
import { createDeviceLog } from '../../../src/eventlog/sqlite-device-log.ts';
import { writtenBytes } from '../../../src/eventlog/written-bytes.ts';
import { hasTools } from '../../support/system-tool.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const hasStrace = hasTools('when a row is on disk', 'strace');
const source = (path: string): string => JSON.stringify(join(import.meta.dirname, '../../../src', path));
const row = { type: 'reading', key: 'k', timestampMs: 0, schema: 0n, payload: new Uint8Array(60) };

describe('durability', () => {
  it.skipIf(!hasStrace)('syncs a row before anybody can read it for sending, and once for a whole batch', async () => {
    await using directory = await temporaryDirectory();
    const database = join(directory.path, 'agent.db');
    const trace = join(directory.path, 'trace');
    // `read` is what a session sends from; each of its rows is written to descriptor 9 with its number.
    const program = `
      import { openSync, writeSync } from 'node:fs';
      import { openDeviceDatabase } from ${source('eventlog/open-device-database.ts')};
      import { createDeviceLog } from ${source('eventlog/sqlite-device-log.ts')};
      const log = createDeviceLog(openDeviceDatabase(${JSON.stringify(database)}));
      const wire = openSync(${JSON.stringify(join(directory.path, 'wire'))}, 'w');
      const row = { type: 'reading', key: 'k', timestampMs: 0, schema: 0n, payload: new Uint8Array(60) };
      log.meet(7n);
      for (let n = 1; n <= 20; n += 1) {
        log.append(3, row);
        for (const _ of log.read(3, n - 1, 10, 1e6).rows) writeSync(wire, 'sent ' + n);
      }
      log.appendAll(Array.from({ length: 500 }, () => ({ lane: 3, row })));
      writeSync(wire, 'batch');
    `;
    const strace = ['-f', '-y', '-q', '-e', 'trace=pwrite64,write,fsync,fdatasync', '-o', trace];
    const node = [process.execPath, '--disable-warning=ExperimentalWarning', '--input-type=module-typescript'];
    await execa('strace', [...strace, ...node, '-e', program]);
    const calls = (await readFile(trace, 'latin1')).split('\n').flatMap((line) => {
      if (/pwrite64\(\d+<[^>]*agent\.db-wal>/.test(line)) return ['journal'];
      if (/f(data)?sync\(\d+<[^>]*agent\.db-wal>/.test(line)) return ['sync'];
      return /write\(\d+<[^>]*wire>, "(sent|batch)/.exec(line)?.[1] ?? [];
    });
    // Since the last sync nothing of the journal was written when a row leaves.
    for (const [at, call] of calls.entries()) {
      if (call !== 'sent') continue;
      const before = calls.slice(0, at);
      expect(before.lastIndexOf('sync')).toBeGreaterThan(before.lastIndexOf('journal'));
    }
    expect(calls.filter((call) => call === 'sent')).toHaveLength(20);
    const batch = calls.slice(calls.lastIndexOf('sent'), calls.indexOf('batch'));
    expect(batch.filter((call) => call === 'sync')).toHaveLength(1);
  });

  it.skipIf(writtenBytes() === undefined)('counts what a row costs the flash, alone and in a batch', async () => {
    await using directory = await temporaryDirectory();
    const database = openDeviceDatabase(join(directory.path, 'agent.db'));
    const log = createDeviceLog(database);
    const cost = (count: number, work: () => void): number => {
      const before = log.state().sinceStart.writtenBytes!;
      work();
      return (log.state().sinceStart.writtenBytes! - before) / count;
    };
    const alone = cost(100, () => {
      for (let n = 0; n < 100; n += 1) log.append(3, row);
    });
    const together = cost(1_000, () => log.appendAll(Array.from({ length: 1_000 }, () => ({ lane: 3 as const, row }))));
    const acknowledged = cost(1_000, () => log.acknowledge(3, 1_050));
    database.close();
    // A file system in memory writes nothing; a disk gets pages of 4 KiB.
    if (alone === 0) return;
    expect(alone).toBeLessThan(20_000);
    expect(together).toBeLessThan(400);
    expect(acknowledged).toBeLessThan(400);
  });
});
