import { describe, expect, it } from 'vitest';
import type { HandlerRow, StoredEvent } from '../../../src/client/contract/index.ts';
import { Lane } from '../../../src/protocol/lane.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { startCore, type CoreBench, type FakeDevice } from './core-bench.ts';
import { enroll } from './enroll.ts';

async function withReadings(core: CoreBench, count: number): Promise<FakeDevice> {
  const device = core.gateways.connect(await enroll(core.client, 'gw-1'));
  await device.admitted.promise;
  await say(device, count);
  return device;
}

async function say(device: FakeDevice, count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) device.say('reading', { n }, { lane: Lane.bulk });
  await device.heard(Lane.bulk);
}

/** The next so many rows. */
async function take<Row>(rows: AsyncGenerator<Row>, count: number): Promise<Row[]> {
  const taken: Row[] = [];
  while (taken.length < count) {
    const { value, done } = await rows.next();
    if (done === true) break;
    taken.push(value);
  }
  return taken;
}

const seqs = (rows: readonly StoredEvent[]) => rows.map(({ seq }) => seq);
const given = (rows: readonly HandlerRow[]) =>
  rows.map((row) => (row.kind === 'event' ? `${row.event.seq}/${row.attempt}` : row.kind));
const type = 'reading';

describe('a consumer', () => {
  it('goes on behind what it has acknowledged, over a restart, with so many under way and no more', async () => {
    await using directory = await temporaryDirectory();
    let first = 0;
    {
      await using core = await startCore(directory.path);
      const device = await withReadings(core, 6);
      const rows = core.client.streamConsumer('billing', { session: 'a', type, inFlight: 2 });
      const [one, two] = await take(rows, 2);
      expect(seqs([one!, two!])).toEqual([1, 2]);
      first = one!.offset;
      const third = rows.next(); // not before one is acknowledged
      await say(device, 1);
      expect(await core.client.acknowledge('billing', first)).toEqual({ offset: first });
      expect((await third).value.seq).toBe(3);
      // Never back.
      expect(await core.client.acknowledge('billing', 1)).toEqual({ offset: first });
      await expect(core.client.acknowledge('billing', 10_000)).rejects.toMatchObject({ code: 'consumer-ahead' });
      expect(await core.client.consumers()).toMatchObject([{ name: 'billing', offset: first, connected: true }]);
      await rows.return(undefined);
    }
    await using core = await startCore(directory.path);
    const again = await take(core.client.streamConsumer('billing', { session: 'b', once: true }), 10);
    expect(seqs(again)).toEqual([2, 3, 4, 5, 6, 7]);
    const refused = core.client.streamConsumer('billing', { session: 'c', type: 'other' });
    await expect(refused.next()).rejects.toMatchObject({ code: 'consumer-filter-differs' });
    await expect(core.client.resetConsumer('nobody', 0)).rejects.toMatchObject({ code: 'consumer-unknown' });
    expect(await core.client.resetConsumer('billing', 0)).toMatchObject({ offset: 0 });
    expect(await core.client.removeConsumer('billing')).toEqual({ removed: 'billing' });
    expect(await core.client.consumers()).toEqual([]);
  });

  it('is read by one: a second stream takes over, and the first is told', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    await withReadings(core, 3);
    const older = core.client.streamConsumer('c', { session: 'a', type });
    await take(older, 3);
    const ends = expect(older.next()).rejects.toMatchObject({ code: 'consumer-superseded', fault: 'refused' });
    const newer = core.client.streamConsumer('c', { session: 'b', type });
    expect(seqs(await take(newer, 3))).toEqual([1, 2, 3]);
    await ends;
    await newer.return(undefined);
  });
});

describe('a handler', () => {
  const backoff = '0';

  it('gets what an earlier stream left open one at a time, before anything new', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    await withReadings(core, 4);
    const { client } = core;
    const query = { type, backoff };
    const first = client.streamHandler('h', { ...query, session: 'a', inFlight: 3 });
    expect(given(await take(first, 3))).toEqual(['1/1', '2/1', '3/1']);
    await first.return(undefined); // as a kill does
    const second = client.streamHandler('h', { ...query, session: 'b' });
    const [one] = (await take(second, 1)) as [HandlerRow & { kind: 'event' }];
    expect(given([one])).toEqual(['1/1']);
    const next = second.next();
    await client.settle('h', { session: 'b', results: [{ kind: 'done', offset: one.event.offset }] });
    const { value } = await next;
    expect(given([value])).toEqual(['2/1']);
    const offset = value.event.offset;
    // The older stream's word of a failure counts no more; that a row is done does.
    await client.settle('h', { session: 'a', results: [{ kind: 'failed', offset, error: '', retry: false }] });
    await client.settle('h', { session: 'a', results: [{ kind: 'done', offset: offset + 1 }] });
    await client.settle('h', { session: 'b', results: [{ kind: 'done', offset }] });
    expect(given(await take(second, 1))).toEqual(['4/1']);
    expect(await client.deadLetters({})).toEqual([]);
    await second.return(undefined);
  });

  it('is not given an event a fourth time that ended it three times, also when nobody could say so', async () => {
    await using directory = await temporaryDirectory();
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      await using core = await startCore(directory.path);
      if (attempt === 1) {
        await withReadings(core, 2);
        const batch = core.client.streamHandler('h', { type, backoff, session: 'batch' });
        expect(given(await take(batch, 2))).toEqual(['1/1', '2/1']);
        await batch.return(undefined);
      }
      const rows = core.client.streamHandler('h', { type, backoff, session: `${attempt}`, version: 'v7' });
      expect(given(await take(rows, 1))).toEqual([`1/${attempt}`]);
      await rows.return(undefined); // the handler, its keeper and the coordinator end here
    }
    await using core = await startCore(directory.path);
    const rows = core.client.streamHandler('h', { type, backoff, session: 'last' });
    expect(given(await take(rows, 2))).toEqual(['dead-letter', '2/1']);
    expect(await core.client.deadLetters({})).toMatchObject([
      { layer: 'handler', consumer: 'h', seq: 1, attempts: 3, code: 'crashed', state: 'new' },
    ]);
    await rows.return(undefined);
  });

  it('gets a replayed dead letter once; one that fails again waits for the next decision', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    await withReadings(core, 1);
    const { client } = core;
    const session = 'a';
    const rows = client.streamHandler('h', { type, backoff, session });
    const [row] = (await take(rows, 1)) as [HandlerRow & { kind: 'event' }];
    const { offset } = row.event;
    const final = { kind: 'failed', offset, error: 'not yet', retry: false } as const;
    const { dead } = await client.settle('h', { session, results: [final] });
    expect(dead).toMatchObject([{ offset, letter: 1 }]);
    expect((await client.replayDeadLetters([1])).done).toEqual([{ id: 1, layer: 'handler', offset }]);
    expect((await client.replayDeadLetters([1])).failed).toMatchObject([{ id: 1, code: 'deadletter-decided' }]);
    const [again] = await take(rows, 1);
    expect(again).toMatchObject({ kind: 'event', letter: 1, event: { offset } });
    await client.settle('h', { session, results: [{ ...final, letter: 1 }] });
    expect(await client.deadLetter(1)).toMatchObject({ state: 'new', reason: expect.stringContaining('not yet') });
    expect(await client.deadLetters({})).toHaveLength(1);

    await client.replayDeadLetters([1]);
    await take(rows, 1);
    await client.settle('h', { session, results: [{ kind: 'done', offset, letter: 1 }] });
    expect(await client.deadLetter(1)).toMatchObject({ state: 'replayed' });
    expect(await client.consumers()).toMatchObject([{ open: 0, tried: [] }]);
    expect(await client.events({ type: 'coordinator.dead-letter-replayed' })).toHaveLength(1);
    await rows.return(undefined);
  });
});
