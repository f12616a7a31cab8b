import { describe, expect, it } from 'vitest';
import { Lane } from '../../../src/protocol/lane.ts';
import { eventually } from '../../support/eventually.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { defaultCoordinatorConfig } from '../../../src/config/index.ts';
import { startCore, type CoreBench } from './core-bench.ts';
import { enroll } from './enroll.ts';

async function withDevice(core: CoreBench) {
  const device = core.gateways.connect(await enroll(core.client, 'gw-1'));
  await device.admitted.promise;
  return device;
}

describe('a dead letter', () => {
  it('of layer decode is stored once when it is replayed after what was wrong is mended', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const device = await withDevice(core);
    device.say('flotilla.boot', { running: 'nonsense' });
    device.say('flotilla.boot', { running: { bootId: 'b1' }, agentVersion: '1.0.0' });
    await device.heard();
    const { client } = core;
    const [letter] = await client.deadLetters({});
    expect(letter).toMatchObject({ layer: 'decode', state: 'new', code: 'reject', attempts: 1, seq: 1, lane: 0 });
    // Still wrong: it stays, and says so.
    const failed = await client.replayDeadLetters([1]);
    expect(failed).toMatchObject({ done: [], failed: [{ id: 1, code: 'deadletter-failed-again' }] });
    expect(await client.deadLetter(1)).toMatchObject({ state: 'new', attempts: 2, payload: { running: 'nonsense' } });
    expect((await client.status()).deadLetters).toMatchObject([{ layer: 'decode', type: 'flotilla.boot', count: 1 }]);
    await expect(client.deadLetter(7)).rejects.toMatchObject({ code: 'deadletter-unknown' });
  });

  it('of a cause that has gone is stored under the number that it came with, and only once', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const device = await withDevice(core);
    // Refused for its key, which the type wants to be the job's id.
    device.handler.events(device.connection, Lane.control, 1, [
      {
        type: 'flotilla.job',
        key: 'j-9',
        timestampMs: 5,
        schema: 0n,
        payload: Buffer.from('{"jobId":"j-9","state":"started"}'),
      },
    ]);
    device.seq[Lane.control] = 2;
    device.say('flotilla.job', { jobId: 'j-1', state: 'started' }, { key: 'other' });
    await device.heard();
    const { client } = core;
    expect(await client.deadLetters({})).toMatchObject([{ id: 1, seq: 2 }]);
    // The mend: here in the database, as a later version's would be in the code.
    await core.coordinator.stop();
    const { DatabaseSync } = await import('node:sqlite');
    const database = new DatabaseSync(`${core.config.data}/flotilla.db`);
    database.exec(`UPDATE dead_letter SET key = 'j-1'`);
    database.close();
    await using again = await startCore(directory.path);
    const both = await Promise.all([again.client.replayDeadLetters([1]), again.client.replayDeadLetters([1])]);
    expect(both.flatMap(({ done }) => done)).toHaveLength(1);
    expect(both.flatMap(({ failed: no }) => no)).toHaveLength(1);
    const stored = (await again.client.events({ type: 'flotilla.job' })).filter(({ seq }) => seq === 2);
    expect(stored).toMatchObject([{ deviceId: 'gw-1', lane: 0, seq: 2, key: 'j-1' }]);
    expect(await again.client.deadLetter(1)).toMatchObject({ state: 'replayed', offset: stored[0]!.offset });
    expect((await again.client.status()).deadLetters).toEqual([]);
  });

  it('of layer device is the request that the device gave up, and is sent anew', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const device = await withDevice(core);
    const { client } = core;
    await client.startJob({ selector: 'gw-1', action: { kind: 'command', argv: ['true'] } });
    const { seq, payload } = await device.request('job.start');
    device.confirm(seq);
    const event = { type: 'job.start', key: payload.jobId, lane: 0, seq, attempts: 2, reason: 'it ended the agent' };
    device.say('flotilla.deadletter', event);
    await device.heard();
    expect(await client.deadLetter(1)).toMatchObject({
      layer: 'device',
      type: 'job.start',
      attempts: 2,
      reason: 'it ended the agent',
      payload: { jobId: payload.jobId, argv: ['true'] },
    });
    const outcome = await client.replayDeadLetters([1]);
    expect(outcome.done).toEqual([{ id: 1, layer: 'device' }]);
    const sent = await eventually(
      'it is sent again',
      () => device.requests.filter(({ row }) => row.type === 'job.start')[1],
    );
    expect(sent.seq).toBe(seq + 1);
    expect(JSON.parse(Buffer.from(sent.row.payload).toString()).expiresAtMs).toBeGreaterThanOrEqual(
      payload.expiresAtMs,
    );
  });

  it('of layer frame counts: the third in ten minutes quarantines the device', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const device = await withDevice(core);
    const fault = { deviceId: 'gw-1', detail: 'frame type 0 is not spoken here', bytes: Buffer.from([0, 1, 2]) };
    for (let n = 0; n < 5; n += 1) core.gateways.handler.frameFault(fault);
    expect(await device.closed.promise).toBe('quarantined');
    const { client } = core;
    expect(await client.device('gw-1')).toMatchObject({ state: 'quarantined' });
    const [told] = await client.events({ type: 'coordinator.quarantined' });
    expect(told?.payload).toMatchObject({ reason: expect.stringContaining('3 protocol errors in 10 minutes') });
    const letters = await client.deadLetters({ layer: 'frame', selector: 'gw-1' });
    expect(letters).toHaveLength(3); // bounded, whatever it goes on to send
    expect(await client.deadLetter(letters[0]!.id)).toMatchObject({
      payload: { base64: 'AAEC' },
      reason: fault.detail,
    });
    expect(await client.replayDeadLetters([letters[0]!.id])).toMatchObject({
      failed: [{ code: 'deadletter-not-replayable' }],
    });
    const note = 'bad radio';
    const discarded = await client.discardDeadLetters({ ids: letters.map(({ id }) => id), note });
    expect(discarded.done).toHaveLength(3);
    expect(await client.deadLetters({ state: 'discarded' })).toMatchObject([{ note }, { note }, { note }]);
    expect((await client.discardDeadLetters({ ids: [letters[0]!.id], note })).failed).toHaveLength(1);
    await expect(client.discardDeadLetters({ ids: [1], note: '' })).rejects.toMatchObject({ fault: 'usage' });
  });

  it('is forgotten beyond the number that is kept: decided ones first, and never an undecided one unsaid', async () => {
    await using directory = await temporaryDirectory();
    {
      await using core = await startCore(directory.path);
      const device = await withDevice(core);
      for (let n = 0; n < 6; n += 1) device.say('flotilla.boot', { running: n });
      await device.heard();
      await core.client.discardDeadLetters({ ids: [5], note: 'no' });
    }
    const keep = (keepRows: number) => ({ deadLetters: { ...defaultCoordinatorConfig.deadLetters, keepRows } });
    {
      await using core = await startCore(directory.path, keep(5));
      await eventually('it is trimmed', async () => (await core.client.deadLetters({})).length === 5);
      expect((await core.client.deadLetters({})).map(({ id }) => id)).toEqual([1, 2, 3, 4, 6]);
      expect(await core.client.events({ type: 'coordinator.dead-letters-forgotten' })).toEqual([]);
    }
    await using core = await startCore(directory.path, keep(2));
    await eventually('it is trimmed', async () => (await core.client.deadLetters({})).length === 2);
    const [told] = await core.client.events({ type: 'coordinator.dead-letters-forgotten' });
    expect(told?.payload).toMatchObject({ count: 3, letters: [{ id: 1 }, { id: 2 }, { id: 3 }] });
  });
});

describe('how old what is known of a device is', () => {
  it('is now while nothing waits there, and is told by lane in events and bytes when something does', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const identity = await enroll(core.client, 'gw-1');
    const device = core.gateways.connect(identity, { nextSeq: [1, 1, 1, 4] });
    await device.admitted.promise;
    const { client } = core;
    const shown = await client.device('gw-1');
    expect(shown.freshness?.lanes[3]).toMatchObject({ lane: 3, lagEvents: 3 });
    device.say('reading', {}, { lane: Lane.bulk });
    device.say('reading', {}, { lane: Lane.bulk });
    const lane = (waitingRows: number) => ({ nextSeq: waitingRows + 1, waitingRows, waitingBytes: waitingRows * 100 });
    device.say('flotilla.log', {
      lanes: [lane(0), lane(0), lane(0), { nextSeq: 8, waitingRows: 5, waitingBytes: 500 }],
      sinceStart: { events: 10, writtenBytes: 4_000 },
      droppedRows: 2,
      deadRows: 1,
    });
    await device.heard();
    await device.heard(Lane.bulk);
    const behind = await client.device('gw-1');
    expect(behind.freshness?.lanes[3]).toMatchObject({ lane: 3, lagEvents: 5, lagBytes: 500 });
    expect(behind.log).toMatchObject({
      eventsSinceStart: 10,
      writtenBytesSinceStart: 4_000,
      droppedRows: 2,
      deadRows: 1,
    });
    // Two numbers never come; the device says what became of one.
    device.seq[Lane.bulk] = 5;
    for (let n = 0; n < 3; n += 1) device.say('reading', {}, { lane: Lane.bulk });
    device.say('flotilla.gap', { lane: 3, fromSeq: 3, toSeq: 3, rows: 1, bytes: 40, reason: 'disk-pressure' });
    await device.heard(Lane.bulk);
    await device.heard();
    const nowMs = Date.now();
    const fresh = await client.device('gw-1');
    expect(fresh.freshness?.lanes[3]).toMatchObject({ lagEvents: 0, lagBytes: 0 });
    expect(fresh.freshness?.asOfMs).toBeGreaterThanOrEqual(nowMs);
    expect(fresh.log).toMatchObject({ missingRows: 2, explainedRows: 1, gapReason: 'disk-pressure' });
    expect((await client.why('gw-1', {})).rules.find(({ rule }) => rule === 'log')).toMatchObject({
      verdict: 'unknown',
      detail: expect.stringMatching(/0 events wait .*2 rows never came; 1 were given up there \(disk-pressure\)/),
    });
    device.leave();
    const gone = await eventually('it is gone', async () => {
      const now = await client.device('gw-1');
      return now.connected ? undefined : now;
    });
    expect(gone.freshness?.asOfMs).toBeLessThanOrEqual(Date.now());
    const [listed] = await client.devices({});
    expect(listed?.freshness?.asOfMs).toBe(gone.freshness?.asOfMs);
  });
});
