import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openDeviceDatabase, type DeviceLogOption } from '../../../src/eventlog/index.ts';
import { defaultRetention, storedBytes } from '../../../src/eventlog/log-limit.ts';
import { createDeviceLog } from '../../../src/eventlog/sqlite-device-log.ts';
import type { Lane } from '../../../src/protocol/lane.ts';
import { mountSmallDisk, canMount } from '../../support/small-disk.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

async function openLog(option: DeviceLogOption, where?: string) {
  const directory = await temporaryDirectory();
  const path = join(where ?? directory.path, 'agent.db');
  const database = openDeviceDatabase(path);
  return {
    path,
    database,
    log: createDeviceLog(database, option),
    kept: (type: string) => Number(database.prepare('SELECT count(*) AS n FROM outbox WHERE type = ?').get(type)!['n']),
    async [Symbol.asyncDispose]() {
      if (database.isOpen) database.close();
      await directory[Symbol.asyncDispose]();
    },
  };
}

const rowOf = (type: string, more: { size?: number; timestampMs?: number; key?: string } = {}) => ({
  type,
  key: more.key ?? '',
  timestampMs: more.timestampMs ?? 0,
  schema: 0n,
  payload: new Uint8Array(more.size ?? 10),
});
const items = (count: number, type: string, lane: Lane = 3, size = 10) =>
  Array.from({ length: count }, () => ({ lane, row: rowOf(type, { size }) }));

describe('retention', () => {
  it('keeps by count, bytes and age of each type, never what waits', async () => {
    let nowMs = 0;
    const rule = { ...defaultRetention, keepSeconds: Infinity };
    await using opened = await openLog({
      nowMs: () => nowMs,
      rules: new Map([
        ['few', { ...rule, keepRows: 3 }],
        ['small', { ...rule, keepBytes: storedBytes(rowOf('small')) * 70 }],
        ['short', { ...rule, keepSeconds: 60 }],
        ['none', { ...rule, keepRows: 0 }],
      ]),
    });
    const { log, kept } = opened;
    for (let n = 0; n < 200; n += 1) {
      log.appendAll(
        ['few', 'small', 'short', 'none'].map((type) => ({ lane: 3, row: rowOf(type, { timestampMs: n * 1_000 }) })),
      );
    }
    nowMs = 200_000;
    expect(['few', 'small', 'short', 'none'].map(kept)).toEqual([200, 200, 200, 200]);
    log.acknowledge(3, 800);
    log.append(3, rowOf('few'));
    log.acknowledge(3, 801); // what was too much for one transaction goes with the next
    expect(['few', 'small', 'short', 'none'].map(kept)).toEqual([3, 70, 60, 0]);
    // A coordinator that was restored is told what there is, and that the rest is not kept.
    const { left, firstSeq } = log.read(3, 0, 1, 1e6);
    expect(left).toEqual([{ upToSeq: firstSeq - 1, reason: 'not-kept' }]);
  });

  it('takes a bounded piece away at a time, and knows after a restart what is left to take', async () => {
    await using opened = await openLog({ defaultRule: { ...defaultRetention, keepRows: 10 } });
    opened.log.appendAll(items(3_000, 'reading'));
    opened.log.acknowledge(3, 2_999);
    expect(opened.kept('reading')).toBeGreaterThan(2_400);
    const again = createDeviceLog(opened.database, { defaultRule: { ...defaultRetention, keepRows: 10 } });
    for (let n = 0; n < 8; n += 1) again.acknowledge(3, again.append(3, rowOf('reading')));
    expect(opened.kept('reading')).toBe(10);
  });

  it('tells each reason of a hole, in order, and merges neighbours', async () => {
    const rules = new Map([['level', { ...defaultRetention, latestOnly: true }]]);
    await using opened = await openLog({ rules });
    const { log, database } = opened;
    for (const key of ['a', 'b', 'a', 'b', 'a', 'b']) log.append(3, rowOf('level', { key }));
    expect(log.read(3, 0, 10, 1e6)).toMatchObject({ left: [{ upToSeq: 4, reason: 'superseded' }], firstSeq: 5 });
    expect(database.prepare('SELECT * FROM outbox_gap').all()).toEqual([
      { lane: 3, from_seq: 1, to_seq: 4, reason: 3 },
    ]);
    log.acknowledge(3, 4);
    expect(database.prepare('SELECT * FROM outbox_gap').all()).toEqual([]);
    // What was acknowledged is not superseded any more: it is there, and it stays.
    log.acknowledge(3, 6);
    log.append(3, rowOf('level', { key: 'a' }));
    expect(log.read(3, 4, 10, 1e6)).toMatchObject({ left: [], firstSeq: 5, rows: { length: 3 } });
  });
});

describe('pressure', () => {
  it('takes bulk before state before alarm, the oldest first, and says so on lane 0', async () => {
    await using opened = await openLog({ maxBytes: 10_000 });
    const { log, database } = opened;
    for (const lane of [1, 2, 3] as const) log.appendAll(items(30, 'event', lane, 60));
    const dropped = () =>
      database
        .prepare("SELECT CAST(payload AS TEXT) AS payload FROM outbox WHERE type = 'flotilla.gap'")
        .all()
        .map(({ payload }) => JSON.parse(String(payload)) as { lane: number; fromSeq: number; toSeq: number });
    expect(dropped()).toEqual([]);
    log.appendAll(items(60, 'event', 1, 60));
    const [first, ...others] = dropped();
    expect(first).toMatchObject({ lane: 3, fromSeq: 1 });
    expect(others.length).toBeGreaterThan(0);
    expect(log.state().lanes[3]!.waitingRows).toBe(0);
    expect(log.state().lanes[1]!.waitingRows).toBe(90);
    // Bulk may not push out what is more urgent.
    expect(() => log.append(3, rowOf('event', { size: 9_000 }))).toThrow(
      expect.objectContaining({ code: 'eventlog-full' }),
    );
    expect(log.state().droppedRows).toBeGreaterThanOrEqual(30);
    // The control lane is told nothing.
    for (let n = 0; n < 50; n += 1) log.append(0, rowOf('flotilla.job', { size: 500 }));
    expect(
      log
        .state()
        .lanes.map(({ waitingRows }) => waitingRows)
        .slice(1),
    ).toEqual([0, 0, 0]);
    expect(log.state().lanes[0]!.waitingRows).toBeGreaterThan(50);
  });

  it('does not let its file grow while the file system is short of room', async () => {
    let freeBytes = 100_000_000;
    await using opened = await openLog({ minFreeBytes: 1_000_000, freeBytes: () => freeBytes, maxBytes: 1_000_000 });
    const { log, database } = opened;
    const pages = () => Number(database.prepare('PRAGMA page_count').get()!['page_count']);
    log.appendAll(items(2_000, 'event', 3, 200));
    log.acknowledge(3, 500);
    freeBytes = 10;
    const before = pages();
    for (let n = 0; n < 3_000; n += 1) log.append(3, rowOf('event', { size: 200 }));
    expect(pages() - before).toBeLessThan(40);
    // What was acknowledged went first.
    expect(log.read(3, 0, 1, 1e6).firstSeq).toBeGreaterThan(500);
    expect(log.state().droppedRows).toBeGreaterThan(1_000);
  });

  it.skipIf(!canMount())('goes on where SQLite says that the disk is full, or says eventlog-full', async () => {
    await using directory = await temporaryDirectory();
    await using disk = await mountSmallDisk(directory.path, 16 * 1024 * 1024);
    await using opened = await openLog({ maxBytes: 100_000_000, reservePath: join(disk.path, 'reserve') }, disk.path);
    const { log } = opened;
    log.appendAll(items(500, 'event', 3, 1_000));
    await disk.fill();
    let refused = 0;
    let taken = 0;
    for (let n = 0; n < 300; n += 1) {
      try {
        log.append(2, rowOf('event', { size: 1_000 }));
        taken += 1;
      } catch (error) {
        expect(error).toMatchObject({ code: 'eventlog-full' });
        refused += 1;
      }
    }
    const { lanes, droppedRows } = log.state();
    // Nothing in silence: each row is there, was refused, or is counted.
    expect(taken + refused).toBe(300);
    expect(lanes[2]!.waitingRows + lanes[3]!.waitingRows + droppedRows).toBe(500 + taken);
    expect(taken).toBeGreaterThan(0);
    await disk.free();
    expect(log.append(3, rowOf('event'))).toBe(501);
    opened.database.close();
  });
});
