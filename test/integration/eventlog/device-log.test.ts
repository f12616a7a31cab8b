import { spawn } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import type { DeviceLog } from '../../../src/eventlog/device-log.ts';
import { jsonRow, parseJsonRow } from '../../../src/eventlog/json-row.ts';
import { openDeviceDatabase } from '../../../src/eventlog/open-device-database.ts';
import { defaultRetention, type DeviceLogOption } from '../../../src/eventlog/log-limit.ts';
import { createDeviceLog } from '../../../src/eventlog/sqlite-device-log.ts';
import type { Row } from '../../../src/protocol/lane.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const rowOf = (text: string, more: Partial<Row> = {}): Row => ({
  type: 'test',
  key: 'k',
  timestampMs: 1_700_000_000_000,
  schema: 0n,
  payload: Buffer.from(text),
  ...more,
});
const texts = (rows: Row[]): string[] => rows.map(({ payload }) => Buffer.from(payload).toString());

async function openAgain(path: string) {
  const database = openDeviceDatabase(path);
  return {
    log: createDeviceLog(database),
    async [Symbol.asyncDispose]() {
      database.close();
    },
  };
}

async function openLog(option: DeviceLogOption = {}) {
  const directory = await temporaryDirectory();
  const path = join(directory.path, 'agent.sqlite');
  const database = openDeviceDatabase(path);
  return {
    path,
    database,
    log: createDeviceLog(database, option),
    async [Symbol.asyncDispose]() {
      if (database.isOpen) database.close();
      await directory[Symbol.asyncDispose]();
    },
  };
}

describe('the outbox', () => {
  it('numbers each lane by itself and reads on from any number', async () => {
    await using opened = await openLog();
    const { log } = opened;
    expect([log.append(0, rowOf('a')), log.append(3, rowOf('b')), log.append(0, rowOf('c'))]).toEqual([1, 1, 2]);
    expect(log.nextSeq()).toEqual([3, 1, 1, 2]);
    expect(log.read(0, 0, 10, 1e6)).toMatchObject({ firstSeq: 1 });
    expect(texts(log.read(0, 0, 10, 1e6).rows)).toEqual(['a', 'c']);
    expect(texts(log.read(0, 1, 10, 1e6).rows)).toEqual(['c']);
    expect(log.read(0, 2, 10, 1e6)).toEqual({ left: [], firstSeq: 3, rows: [] });
  });

  it('gives at least one row however small the room, and keeps every field', async () => {
    await using opened = await openLog();
    const row = rowOf('x'.repeat(1000), { schema: 2n ** 64n - 1n, timestampMs: 0, key: '' });
    opened.log.append(1, row);
    opened.log.append(1, row);
    const { rows } = opened.log.read(1, 0, 10, 1);
    expect(rows).toHaveLength(1);
    expect({ ...rows[0]!, payload: Buffer.from(rows[0]!.payload) }).toEqual(row);
  });

  it('keeps its numbers when all was acknowledged and deleted', async () => {
    await using opened = await openLog({ defaultRule: { ...defaultRetention, keepRows: 2 } });
    const { log } = opened;
    for (let n = 1; n <= 10; n += 1) log.append(2, rowOf(String(n)));
    log.acknowledge(2, 7);
    log.acknowledge(2, 6); // an older one changes nothing
    log.acknowledge(2, 99); // nor does one of what was never made
    expect(log.ackedSeq()).toEqual([0, 0, 7, 0]);
    expect(log.read(2, 0, 100, 1e6)).toMatchObject({
      left: [{ upToSeq: 5, reason: 'not-kept' }],
      firstSeq: 6,
      rows: { length: 5 },
    });
    log.acknowledge(2, 10);
    opened.database.close();
    const database = openDeviceDatabase(opened.path);
    expect(createDeviceLog(database).append(2, rowOf('next'))).toBe(11);
    database.close();
  });

  it('takes part in a transaction of the caller, and gives the number again when it is rolled back', async () => {
    await using opened = await openLog();
    const { log, database } = opened;
    database.exec('BEGIN');
    expect(log.append(0, rowOf('lost'))).toBe(1);
    database.exec('ROLLBACK');
    expect(log.append(0, rowOf('kept'))).toBe(1);
    expect(() =>
      log.transact(() => {
        log.append(0, rowOf('lost too'));
        throw new Error('no');
      }),
    ).toThrow('no');
    expect(texts(log.read(0, 0, 10, 1e6).rows)).toEqual(['kept']);
  });

  it('refuses a row that could not travel', async () => {
    await using opened = await openLog();
    expect(() => opened.log.append(0, rowOf('', { type: '' }))).toThrow(
      expect.objectContaining({ code: 'eventlog-row' }),
    );
    expect(opened.log.nextSeq()).toEqual([1, 1, 1, 1]);
  });

  it('sets a row aside with the reason', async () => {
    await using opened = await openLog();
    opened.log.append(0, rowOf('bad'));
    opened.log.bury(0, 1, 'reject 5: no');
    opened.log.bury(0, 1, 'again');
    expect(opened.database.prepare('SELECT seq, type, reason FROM outbox_dead').all()).toEqual([
      { seq: 1, type: 'test', reason: 'reject 5: no' },
    ]);
  });
});

describe('the inbox', () => {
  it('takes each request once, in order, and no gap that was not announced', async () => {
    await using opened = await openLog();
    const { log } = opened;
    expect(log.receive(7n, 0, 1, rowOf('one'))).toBe(true);
    expect(log.receive(7n, 0, 1, rowOf('one'))).toBe(false);
    expect(() => log.receive(7n, 0, 3, rowOf('three'))).toThrow(expect.objectContaining({ code: 'eventlog-gap' }));
    log.skip(7n, 0, 2);
    log.skip(7n, 0, 1);
    expect(log.receive(7n, 0, 3, rowOf('three'))).toBe(true);
    const [first, second] = log.unsettled();
    expect(first).toMatchObject({ lane: 0, seq: 1, coordinatorInstanceId: 7n });
    log.settle(first!);
    expect(texts(log.unsettled())).toEqual(['three']);
    log.settle(second!);
    expect(log.receive(7n, 0, 3, rowOf('three'))).toBe(false);
  });

  it('counts each coordinator by itself and tells the cursor of the one last met', async () => {
    await using opened = await openLog();
    const { log } = opened;
    expect(log.requestCursor()).toEqual({ coordinatorInstanceId: 0n, seq: [0, 0, 0, 0] });
    log.meet(7n, [0, 0, 0, 0]);
    log.receive(7n, 0, 1, rowOf('one'));
    expect(log.requestCursor()).toEqual({ coordinatorInstanceId: 7n, seq: [1, 0, 0, 0] });
    log.meet(2n ** 64n - 1n, [0, 0, 0, 0]);
    expect(log.requestCursor()).toEqual({ coordinatorInstanceId: 2n ** 64n - 1n, seq: [0, 0, 0, 0] });
    expect(log.receive(2n ** 64n - 1n, 0, 1, rowOf('other'))).toBe(true);
    expect(log.receive(7n, 0, 1, rowOf('one'))).toBe(false);
    expect(texts(log.unsettled())).toEqual(['one', 'other']);
  });
});

describe('an acknowledgement that can wait', () => {
  const written = (database: DatabaseSync) =>
    Number(database.prepare('SELECT acked_seq FROM outbox_cursor WHERE lane = 3').get()!['acked_seq']);
  const opened = async (rows: number) => {
    const all = await openLog();
    all.log.meet(7n, [0, 0, 0, 0]);
    for (let n = 1; n <= rows; n += 1) all.log.append(3, rowOf(`${n}`));
    return all;
  };

  it('holds at once, and is on disk when it is asked for, or with something else when it is many', async () => {
    await using all = await opened(200);
    const { log, database } = all;
    expect(log.acknowledgeSoon(3, 2)).toBe(2);
    expect([log.ackedSeq()[3], log.state().lanes[3]!.waitingRows, written(database)]).toEqual([2, 198, 0]);
    log.append(3, rowOf('201'));
    expect(written(database)).toBe(0);
    log.writeAcknowledged();
    expect(written(database)).toBe(2);
    expect(log.acknowledgeSoon(3, 1)).toBe(0); // an older one changes nothing
    expect(log.acknowledgeSoon(3, 999)).toBe(0); // nor does one of what was never made
    expect(log.acknowledgeSoon(3, 102)).toBe(100);
    const undone = (): void =>
      log.transact(() => {
        log.append(3, rowOf('never'));
        throw new Error('undone');
      });
    expect(undone).toThrow('undone');
    expect([log.ackedSeq()[3], log.state().lanes[3]!.waitingRows, written(database)]).toEqual([102, 99, 2]);
    log.append(3, rowOf('202'));
    expect([log.ackedSeq()[3], log.state().lanes[3]!.waitingRows, written(database)]).toEqual([102, 100, 102]);
  });

  it('is told again when the process ends before: nothing is lost, and nothing is sent twice', async () => {
    await using all = await opened(5);
    all.log.acknowledgeSoon(3, 3);
    await using next = await openAgain(all.path); // what the next process finds on the disk
    expect(next.log.ackedSeq()[3]).toBe(0);
    expect(next.log.meet(7n, [0, 0, 0, 3])).toBe('same');
    next.log.acknowledgeSoon(3, 3); // of WELCOME, from where the session goes on
    expect(texts(next.log.read(3, 3, 10, 1_000).rows)).toEqual(['4', '5']);
    expect(next.log.state().lanes[3]!.waitingRows).toBe(2);
  });

  it('is no reason to give up a row: what the coordinator has does not wait', async () => {
    await using all = await openLog({ maxBytes: 2_000 });
    const { log } = all;
    const row = (text: string) => rowOf(text, { payload: Buffer.alloc(400) });
    for (let n = 1; n <= 4; n += 1) log.append(3, row(`${n}`));
    log.acknowledgeSoon(3, 4);
    for (let n = 5; n <= 8; n += 1) log.append(3, row(`${n}`));
    expect(log.state()).toMatchObject({ droppedRows: 0, lanes: [{}, {}, {}, { waitingRows: 4 }] });
    expect(log.read(0, 0, 10, 1_000).rows).toEqual([]);
  });
});

describe('a coordinator that is met', () => {
  const acknowledged = async () => {
    const opened = await openLog();
    const { log } = opened;
    expect(log.meet(7n, [0, 0, 0, 0])).toBe('first');
    for (const text of ['one', 'two', 'three', 'four']) log.append(3, rowOf(text));
    log.acknowledge(3, 3);
    return opened;
  };
  const waiting = (log: DeviceLog) => log.state().lanes[3]!.waitingRows;

  it('the same as before goes on', async () => {
    await using opened = await acknowledged();
    expect(opened.log.meet(7n, [0, 0, 0, 3])).toBe('same');
    expect(waiting(opened.log)).toBe(1);
  });

  it('that was set back gets what is kept once more, and it waits again', async () => {
    await using opened = await acknowledged();
    expect(opened.log.meet(7n, [0, 0, 0, 1])).toBe('set-back');
    expect(texts(opened.log.read(3, 1, 10, 1_000).rows)).toEqual(['two', 'three', 'four']);
    expect([opened.log.ackedSeq()[3], waiting(opened.log)]).toEqual([1, 3]);
    expect(opened.log.meet(7n, [0, 0, 0, 1])).toBe('same');
  });

  it('and is another one gets nothing of what the first has acknowledged', async () => {
    await using opened = await acknowledged();
    expect(opened.log.meet(8n, [0, 0, 0, 0])).toBe('another');
    const { left, firstSeq, rows } = opened.log.read(3, 0, 10, 1_000);
    expect(left).toEqual([{ upToSeq: 3, reason: 'not-kept' }]);
    expect([firstSeq, texts(rows)]).toEqual([4, ['four']]);
  });

  it('changes nothing when the transaction is undone', async () => {
    await using opened = await acknowledged();
    const { log } = opened;
    const undone = (): void =>
      log.transact(() => {
        log.meet(8n, [0, 0, 0, 0]);
        throw new Error('undone');
      });
    expect(undone).toThrow('undone');
    expect(texts(log.read(3, 0, 10, 1_000).rows)).toEqual(['one', 'two', 'three', 'four']);
    expect(log.meet(7n, [0, 0, 0, 3])).toBe('same');
  });
});

describe('the database', () => {
  it('is closed to others, durable, and keeps its identity', async () => {
    await using opened = await openLog();
    expect(statSync(opened.path).mode & 0o777).toBe(0o600);
    expect(opened.database.prepare('PRAGMA synchronous').get()).toEqual({ synchronous: 2 });
    expect(opened.database.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
    const { instanceId } = opened.log;
    expect(createDeviceLog(opened.database).instanceId).toBe(instanceId);
    expect(opened.log.renewed).toBe(false);
    opened.log.renewInstance();
    expect(opened.log.instanceId).not.toBe(instanceId);
    expect(opened.log.renewed).toBe(true);
  });

  it('says plainly that it can not be opened', () => {
    expect(() => openDeviceDatabase('/nowhere/at/all.sqlite')).toThrow(
      expect.objectContaining({ code: 'eventlog-open' }),
    );
  });

  it('holds every number that was given out before SIGKILL', async () => {
    await using opened = await openLog();
    opened.database.close();
    const source = (path: string): string => JSON.stringify(join(import.meta.dirname, '../../../src/eventlog', path));
    const child = spawn(
      process.execPath,
      [
        '--input-type=module-typescript',
        '--disable-warning=ExperimentalWarning',
        '-e',
        `import { openDeviceDatabase } from ${source('open-device-database.ts')};
         import { createDeviceLog } from ${source('sqlite-device-log.ts')};
         import { writeSync } from 'node:fs';
         const log = createDeviceLog(openDeviceDatabase(process.argv[1]));
         for (;;) writeSync(1, log.append(0, { type: 't', key: '', timestampMs: 0, schema: 0n, payload: new Uint8Array(10) }) + '\\n');`,
        opened.path,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.split('\n').length > 200) child.kill('SIGKILL');
    });
    await new Promise((resolve) => child.on('close', resolve));
    const given = Number(output.split('\n').at(-2));
    expect(given).toBeGreaterThan(100);
    const database = openDeviceDatabase(opened.path);
    expect(createDeviceLog(database).nextSeq()[0]).toBeGreaterThan(given);
    database.close();
  });
});

describe('JSON rows', () => {
  it('carry a value there and back, and refuse what is none', () => {
    const row = jsonRow({ type: 't', key: 'k', timestampMs: 5.7, value: { a: ['é'] } });
    expect(row).toMatchObject({ timestampMs: 5, schema: 0n });
    expect(parseJsonRow(row)).toEqual({ a: ['é'] });
    expect(() => jsonRow({ type: 't', timestampMs: 0, value: undefined })).toThrow(
      expect.objectContaining({ code: 'eventlog-not-json' }),
    );
    for (const bad of [Buffer.from('{'), Buffer.from([0xff])]) {
      expect(() => parseJsonRow({ ...row, payload: bad })).toThrow(
        expect.objectContaining({ code: 'eventlog-not-json' }),
      );
    }
    expect(() => parseJsonRow({ ...row, schema: 5n })).toThrow(expect.objectContaining({ code: 'eventlog-not-json' }));
  });
});
