import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ExportRow, StoredEvent } from '../../../src/client/contract/index.ts';
import { Lane } from '../../../src/protocol/lane.ts';
import { openStore, type EventRow } from '../../../src/store/index.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { startCore, storeEntry, type CoreBench } from './core-bench.ts';
import { enroll } from './enroll.ts';

async function collect<Row>(rows: AsyncIterable<Row>): Promise<Row[]> {
  const all: Row[] = [];
  for await (const row of rows) all.push(row);
  return all;
}

const offsetsOf = (rows: readonly ExportRow[]) => rows.flatMap((row) => (row.kind === 'event' ? row.event.offset : []));

async function withDevice(core: CoreBench, id = 'gw-1') {
  const device = core.gateways.connect(await enroll(core.client, id));
  await device.admitted.promise;
  return device;
}

describe('the log', () => {
  it('is read by type, key, lane, device and time, and exported whole with the offset to go on from', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const device = await withDevice(core);
    const other = await withDevice(core, 'gw-2');
    for (let n = 0; n < 5; n += 1) device.say('reading', { n }, { lane: Lane.bulk, key: `k-${n}` });
    other.say('alarm', { hot: true }, { lane: Lane.alarm });
    await device.heard(Lane.bulk);
    await other.heard(Lane.alarm);
    const { client } = core;
    const types = async (query: Parameters<typeof client.events>[0]) =>
      (await client.events(query)).map(({ type, key }) => `${type}${key}`);
    expect(await types({ type: 'read*', key: 'k-3' })).toEqual(['readingk-3']);
    expect(await types({ lane: 1 })).toEqual(['alarm']);
    expect(await types({ selector: 'gw-2', lane: 1 })).toEqual(['alarm']);
    expect(await types({ type: 'reading', limit: 2 })).toEqual(['readingk-3', 'readingk-4']);
    expect(await types({ type: 'reading', from: 1, limit: 2 })).toEqual(['readingk-0', 'readingk-1']);
    const future = Date.now() + 60_000;
    expect(await types({ type: 'reading', sinceMs: future })).toEqual([]);
    expect(await types({ type: 'reading', untilMs: future, limit: 1 })).toEqual(['readingk-4']);
    // The fake device's clock stands at 1.
    expect(await types({ type: 'reading', deviceUntilMs: 2, limit: 1 })).toEqual(['readingk-4']);
    expect(await types({ type: 'reading', deviceSinceMs: 2 })).toEqual([]);

    const all = await collect(client.exportEvents({}));
    const { store } = await client.status();
    expect(offsetsOf(all)).toEqual(Array.from({ length: store.lastOffset }, (_, n) => n + 1));
    expect(all.at(-1)).toEqual({ kind: 'end', nextOffset: store.lastOffset + 1 });
    const rest = await collect(client.exportEvents({ type: 'reading', from: store.lastOffset - 2 }));
    expect(offsetsOf(rest).every((offset) => offset >= store.lastOffset - 2)).toBe(true);
    await expect(collect(client.exportEvents({ selector: 'gw and' }))).rejects.toMatchObject({ fault: 'usage' });
  });

  it('is searched for a time without a walk through all of it, though the clock may jump', async () => {
    await using directory = await temporaryDirectory();
    const store = await openStore({ path: join(directory.path, 'flotilla.db'), entry: storeEntry });
    const event = (offset: number, receivedAtMs: number): EventRow => ({
      offset,
      deviceId: 'gw-1',
      instanceId: '00000000000000a1',
      lane: 3,
      seq: offset,
      type: 'reading',
      key: '',
      timestampMs: receivedAtMs,
      receivedAtMs,
      payload: Buffer.from('{}'),
    });
    // 300,000 rows; the clock goes back an hour in the middle.
    const timeOf = (offset: number) => offset * 10 + (offset > 150_000 ? -3_600_000 : 0) + 10_000_000;
    for (let first = 1; first <= 300_000; first += 5_000) {
      const rows = Array.from({ length: 5_000 }, (_, n) => event(first + n, timeOf(first + n)));
      await store.commit(rows.map((one) => ({ kind: 'event', event: one })));
    }
    const from = timeOf(280_000);
    const startedMs = performance.now();
    const found: number[] = [];
    let slices = 0;
    for (let next: number | undefined = 1; next !== undefined; slices += 1) {
      const filter = { sinceMs: from, untilMs: from + 100 };
      const slice = await store.scan({ filter, direction: 'up', from: next, to: 300_000, limit: 1_000 });
      found.push(...slice.rows.map(({ offset }) => offset));
      next = slice.next;
    }
    const expected = Array.from({ length: 300_000 }, (_, n) => n + 1).filter((offset) => {
      const ms = timeOf(offset);
      return ms >= from && ms < from + 100;
    });
    expect(found).toEqual(expected);
    expect(slices).toBeLessThan(6);
    expect(performance.now() - startedMs).toBeLessThan(2_000);
    // Downwards the same rows, the newest first.
    const last = await store.scan({ filter: { untilMs: from }, direction: 'down', from: 300_000, to: 1, limit: 1 });
    expect(timeOf(last.rows[0]!.offset)).toBeLessThan(from);
    await store.close();
  });

  it('takes new events while an export reads: a slow reader holds nobody up', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const device = await withDevice(core);
    const big = 'x'.repeat(20_000);
    for (let n = 0; n < 500; n += 1) device.say('reading', { big }, { lane: Lane.bulk });
    await device.heard(Lane.bulk);
    const rows = core.client.exportEvents({ type: 'reading' });
    await rows.next(); // and then nobody reads: what does not fit into the socket waits in the coordinator
    for (let n = 0; n < 20; n += 1) {
      device.say('reading', { n }, { lane: Lane.bulk });
      await device.heard(Lane.bulk);
    }
    expect(offsetsOf(await collect(rows))).toHaveLength(499);
  });
});

describe('a redacted event', () => {
  const secret = 'hunter2-QXplqmR0';

  it('keeps its row and says who, when and why; its bytes are in no file, its dead letter has lost them too', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const device = await withDevice(core);
    device.say('app.log', { line: `token ${secret}` }, { lane: Lane.bulk, key: `key-${secret}` });
    device.say('app.log', { line: 'harmless' }, { lane: Lane.bulk });
    device.say('app.log', { line: `${'long '.repeat(3_000)}${secret}` }, { lane: Lane.bulk });
    await device.heard(Lane.bulk);
    const { client } = core;
    const found = await client.events({ type: 'app.log' });
    const offsets = [found[0]!.offset, found[2]!.offset];
    // A handler that can't manage it leaves a copy.
    const session = 's';
    const rows = client.streamHandler('h', { session, from: offsets[0]!, type: 'app.log' });
    await rows.next();
    const results = [{ kind: 'failed' as const, offset: offsets[0]!, error: `says ${secret}`, retry: false }];
    await client.settle('h', { session, results });
    await rows.return(undefined);

    const reason = 'a token';
    expect(await client.redact({ offsets, reason, dryRun: true })).toMatchObject({ events: 2, erased: false });
    await expect(client.redact({ offsets, reason, expect: 3 })).rejects.toMatchObject({ fault: 'refused' });
    expect(await client.redact({ offsets, reason, expect: 2 })).toMatchObject({ events: 2, erased: true });
    expect(await client.redact({ offsets, reason })).toMatchObject({ events: 0 });

    const after = await client.events({ type: 'app.log' });
    const marker = { by: expect.stringMatching(/^local:/), reason, atMs: expect.any(Number) };
    expect(after.map(({ key, payload, redacted }) => ({ key, payload, redacted }))).toEqual([
      { key: '', payload: null, redacted: marker },
      { key: '', payload: { line: 'harmless' }, redacted: undefined },
      { key: '', payload: null, redacted: marker },
    ]);
    expect(await client.deadLetter(1)).toMatchObject({ key: '', payload: null, reason: 'redacted' });
    const [told] = await client.events({ type: 'coordinator.redacted' });
    expect(told).toMatchObject({
      payload: { count: 2, offsets: offsets.map((offset) => [offset, offset]), reason, by: expect.any(String) },
    });
    // Consumers see the marker.
    const seen: StoredEvent[] = [];
    for await (const event of client.streamConsumer('late', { session, type: 'app.log', once: true })) seen.push(event);
    expect(seen.map(({ redacted }) => redacted?.reason)).toEqual([reason, undefined, reason]);

    for (const name of await readdir(core.config.data)) {
      const bytes = await readFile(join(core.config.data, name)).catch(() => Buffer.alloc(0));
      expect([name, bytes.includes(secret)]).toEqual([name, false]);
    }
  });

  it('needs to be named: no filter at all, and a misspelt one, are refused', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    await withDevice(core);
    const { client } = core;
    const reason = 'x';
    await expect(client.redact({ reason })).rejects.toMatchObject({ code: 'redact-what' });
    await expect(client.redact({ filter: {}, reason })).rejects.toMatchObject({ code: 'redact-what' });
    const misspelt = { typ: 'reading' } as { type?: string };
    await expect(client.redact({ filter: misspelt, reason })).rejects.toMatchObject({ fault: 'usage' });
    await expect(client.redact({ offsets: [999], reason })).rejects.toMatchObject({ code: 'event-unknown' });
    expect((await client.redact({ filter: { type: 'coordinator.*' }, reason, dryRun: true })).events).toBeGreaterThan(
      0,
    );
  });
});
