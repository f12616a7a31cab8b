import { readFile, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { openStore, type EventRow, type Store, type Write } from '../../../src/store/index.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const entry = new URL('../../../src/bin/store-thread.ts', import.meta.url);
const open = (path: string, maxBytes?: number): Promise<Store> =>
  openStore({ path, entry, ...(maxBytes === undefined ? {} : { maxBytes }) });

const event = (offset: number, payload = 'x'): Write => ({
  kind: 'event',
  event: {
    offset,
    deviceId: 'meter-1',
    instanceId: '00000000000000a1',
    lane: 3,
    seq: offset,
    type: 'reading',
    key: '',
    timestampMs: 1,
    receivedAtMs: 2,
    payload: Buffer.from(payload),
  } satisfies EventRow,
});

describe('the store', () => {
  it('names the steps of all rollouts but those that go on and the newest that have ended', async () => {
    await using directory = await temporaryDirectory();
    const store = await open(join(directory.path, 'flotilla.db'));
    const ids = ['r-1', 'r-2', 'r-3', 'r-4'];
    await store.commit(
      ids.map((id, number): Write => {
        const active = id === 'r-1';
        return { kind: 'rollout', rollout: { id, active, startedAtMs: number, document: {} } };
      }),
    );
    const steps = ids.flatMap((rolloutId) => [1, 2].map((step) => ({ rolloutId, step })));
    await store.commit(steps.map((step): Write => ({ kind: 'rollout-step', step })));
    const left = async (rolloutId: string) =>
      (await store.rolloutSteps({ rolloutId, afterRow: 0, upToRow: 99, limit: 9 })).map(({ step }) => step);
    expect(await store.surplusRolloutSteps({ keep: 3, limit: 9 })).toEqual([]);
    const first = await store.surplusRolloutSteps({ keep: 1, limit: 3 });
    await store.commit([{ kind: 'rollout-steps-removed', rows: first }]);
    expect([await left('r-2'), await left('r-3')]).toEqual([[], [2]]);
    await store.commit([
      { kind: 'rollout-steps-removed', rows: await store.surplusRolloutSteps({ keep: 1, limit: 9 }) },
    ]);
    expect(await Promise.all(ids.map(left))).toEqual([[1, 2], [], [], [1, 2]]);
    await store.close();
  });

  it('keeps what was committed over a close and an open', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'flotilla.db');
    const first = await open(path);
    await first.commit([{ kind: 'meta', key: 'fleetId', value: 'demo' }, event(1), event(2, 'ü')]);
    await first.close();

    const second = await open(path);
    const snapshot = await second.load();
    expect(snapshot.meta).toEqual({ fleetId: 'demo' });
    expect(snapshot.lastOffset).toBe(2);
    const [last] = await second.events({ limit: 1 });
    expect(Buffer.from(last!.payload).toString()).toBe('ü');
    await second.close();
  });

  it('answers a read with every commit that was made before it', async () => {
    await using directory = await temporaryDirectory();
    const store = await open(join(directory.path, 'flotilla.db'));
    const commits = Array.from({ length: 200 }, (_, index) => store.commit([event(index + 1)]));
    const rows = await store.events({ from: 1, limit: 1000 });
    expect(rows.map(({ offset }) => offset)).toEqual(Array.from({ length: 200 }, (_, index) => index + 1));
    await Promise.all(commits);
    await store.close();
  });

  it('rejects one bad commit of a group and keeps the others', async () => {
    await using directory = await temporaryDirectory();
    const store = await open(join(directory.path, 'flotilla.db'));
    const settled = await Promise.allSettled([
      store.commit([event(1)]),
      store.commit([event(2), event(1)]), // 1 is taken: none of it may stay
      store.commit([event(3)]),
    ]);
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect((await store.events({ from: 1, limit: 10 })).map(({ offset }) => offset)).toEqual([1, 3]);
    await store.close();
  });

  it('refuses a commit when the disk is full, leaves nothing of it, and goes on', async () => {
    await using directory = await temporaryDirectory();
    const store = await open(join(directory.path, 'flotilla.db'), 256 * 1024);
    await store.commit([event(1)]);
    const big = 'x'.repeat(100_000);
    await expect(store.commit([event(2, big), event(3, big), event(4, big)])).rejects.toMatchObject({
      code: 'disk-full',
      fault: 'failed',
    });
    await store.commit([event(2)]);
    expect((await store.events({ from: 1, limit: 10 })).map(({ offset }) => offset)).toEqual([1, 2]);
    await store.close();
  });

  it('reads the log by page, type and device', async () => {
    await using directory = await temporaryDirectory();
    const store = await open(join(directory.path, 'flotilla.db'));
    const rows = [event(1), event(2), event(3)];
    (rows[1] as { event: EventRow }).event.type = 'flotilla.boot';
    (rows[2] as { event: EventRow }).event.deviceId = 'meter-2';
    await store.commit(rows);
    const offsets = async (page: Parameters<Store['events']>[0]) => (await store.events(page)).map((row) => row.offset);
    expect(await offsets({ limit: 2 })).toEqual([2, 3]);
    expect(await offsets({ from: 2, limit: 1 })).toEqual([2]);
    expect(await offsets({ from: 1, limit: 9, type: 'flotilla.*' })).toEqual([2]);
    expect(await offsets({ from: 1, limit: 9, deviceIds: ['meter-2', 'nobody'] })).toEqual([3]);
    await store.close();
  });

  it('keeps the output of a job when a later write of the device has none', async () => {
    await using directory = await temporaryDirectory();
    const store = await open(join(directory.path, 'flotilla.db'));
    const member = { parentId: 'j1', position: 0, deviceId: 'meter-1', document: { state: 'started' } };
    await store.commit([{ kind: 'job-device', member: { ...member, output: { stdout: 'hello' } } }]);
    await store.commit([{ kind: 'job-device', member: { ...member, document: { state: 'finished' } } }]);
    expect(await store.members('job', 'j1', true)).toEqual([
      { ...member, document: { state: 'finished' }, output: { stdout: 'hello' } },
    ]);
    await store.close();
  });
});

describe('opening a file that is not ours', () => {
  it('refuses the database of another program and leaves it as it is', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'flotilla.db');
    const other = new DatabaseSync(path);
    other.exec('CREATE TABLE contact (name TEXT)');
    other.close();
    const before = await readFile(path);
    await expect(open(path)).rejects.toMatchObject({ code: 'store-foreign' });
    expect(await readFile(path)).toEqual(before);
  });

  it('refuses a newer schema', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'flotilla.db');
    await (await open(path)).close();
    const later = new DatabaseSync(path);
    later.exec('PRAGMA user_version = 99');
    later.close();
    await expect(open(path)).rejects.toMatchObject({ code: 'store-newer', detail: { seen: 'schema version 99' } });
  });

  it('refuses a file that is no database, and one whose pages are damaged', async () => {
    await using directory = await temporaryDirectory();
    const noise = join(directory.path, 'noise.db');
    await writeFile(noise, 'not a database, but long enough to look like one'.repeat(100));
    await expect(open(noise)).rejects.toMatchObject({ code: 'store-corrupt' });

    const path = join(directory.path, 'flotilla.db');
    const store = await open(path);
    await store.commit(Array.from({ length: 50 }, (_, index) => event(index + 1, 'y'.repeat(1000))));
    await store.close();
    const bytes = await readFile(path);
    bytes.fill(0xff, 4096 * 3, 4096 * 9);
    await writeFile(path, bytes);
    await expect(open(path)).rejects.toMatchObject({ code: 'store-corrupt' });
  });

  it('leaves no file behind when it could not be made', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'flotilla.db');
    await expect(open(path, 4096)).rejects.toMatchObject({ code: 'disk-full' });
    expect(existsSync(path)).toBe(false);
  });
});
