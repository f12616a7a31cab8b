import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import type { RolloutRecordingRow } from '../../../src/client/contract/index.ts';
import { replayRecording } from '../../../src/simulation/index.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { connectBoard, publishRelease, updateBoard } from './board-bench.ts';
import { startCore, type CoreBench } from './core-bench.ts';
import { enroll } from './enroll.ts';

async function recordingOf(core: CoreBench, id: string): Promise<RolloutRecordingRow[]> {
  const rows: RolloutRecordingRow[] = [];
  for await (const row of core.client.rolloutRecording(id)) rows.push(row);
  return rows;
}

describe('a rollout that was recorded', () => {
  it('comes out the same when it is replayed, over a restart, a pause, a reconnect and a removal', async () => {
    await using directory = await temporaryDirectory();
    let core = await startCore(directory.path);
    const release = await publishRelease(core, directory.path, '2.0.0');
    let boards = await Promise.all(['b1', 'b2', 'b3', 'b4', 'b5'].map((each) => connectBoard(core, each)));
    const request = { release: 'meter/2.0.0', selector: '*', maxFailures: 3, maxFailureShare: 1, maxInFlight: 2 };
    const { id } = await core.client.startRollout({ ...request, phases: [{ size: '2' }, { size: 'rest' }] });
    await updateBoard(boards[0]!, release, 'committed');
    await core.client.changeRollout(id, 'pause', { reason: 'lunch' });
    await core.client.changeRollout(id, 'resume', {});
    boards[3]!.device.leave();
    await updateBoard(boards[1]!, release, 'rolled-back');
    await core.coordinator.stop();

    core = await startCore(directory.path);
    boards = [];
    for (const each of ['b3', 'b4', 'b5']) boards.push(await connectBoard(core, each, { instanceId: 0xb2n }));
    await updateBoard(boards[0]!, release, 'committed');
    await core.client.removeDevice('b5');
    const unfinished = await replayRecording(await recordingOf(core, id));
    expect(unfinished.differences).toEqual([]);
    await updateBoard(boards[1]!, release, 'committed');

    const replayed = await replayRecording(await recordingOf(core, id));
    expect(replayed.differences).toEqual([]);
    expect(replayed.report.rollout).toMatchObject({
      state: 'completed',
      counts: { committed: 3, 'rolled-back': 1, cancelled: 1 },
    });
    // The same numbers from the store, by another way.
    const report = await core.client.rolloutReport(id);
    expect({ ...replayed.report, atMs: 0 }).toEqual({ ...report, atMs: 0 });
    expect(report).toMatchObject({ targets: 5, touched: 5, succeeded: 3, failed: 1 });
    expect(report.phases.map(({ size, state }) => [size, state])).toEqual([
      [2, 'passed'],
      [3, 'passed'],
    ]);
    expect(report.causes.map(({ code, count, devices }) => [code, count, devices])).toEqual([
      ['device-removed', 1, ['b5']],
      ['health-failed', 1, ['b2']],
    ]);
    expect(report.bytes).toMatchObject({ fetchedBytes: 4 * release.sizeBytes, wholeDevices: 4, deltaDevices: 0 });
    expect(report.durations['whole']).toMatchObject({ count: 5 });
    expect(report.timeline.map(({ phase, state, reason }) => [phase, state, reason])).toEqual([
      [undefined, 'running', undefined],
      [0, 'running', undefined],
      [undefined, 'paused', 'lunch'],
      [undefined, 'running', undefined],
      [0, 'passed', undefined],
      [1, 'running', undefined],
      [1, 'passed', undefined],
      [undefined, 'completed', undefined],
    ]);
    await core.coordinator.stop();
  });

  it('takes little room however many devices it has, and is refused once its steps are gone', async () => {
    await using directory = await temporaryDirectory();
    const core = await startCore(directory.path);
    const { client } = core;
    const ids = Array.from({ length: 40 }, (_, n) => `away-${n}`);
    for (const id of ids) await enroll(client, id);
    await connectBoard(core, 'b1');
    const { id } = await client.startRollout({
      action: { kind: 'job', job: { kind: 'ping' } },
      selector: '*',
      expect: 41,
    });
    expect((await replayRecording(await recordingOf(core, id))).differences).toEqual([]);
    await core.coordinator.stop();

    const database = new DatabaseSync(join(directory.path, 'data', 'flotilla.db'));
    const [plan, opened] = database.prepare('SELECT step FROM rollout_step ORDER BY row').all();
    for (const row of [plan, opened]) expect(String(row!['step'])).not.toContain('away-');
    expect(JSON.parse(String(opened!['step']))).toMatchObject({ input: { kind: 'open' }, came: [[0, 0]] });
    database.exec('DELETE FROM rollout_step WHERE row = 1');
    database.close();
    await using again = await startCore(directory.path);
    await expect(recordingOf(again, id)).rejects.toMatchObject({ code: 'recording-forgotten' });
    expect(await again.client.rolloutReport(id)).toMatchObject({ targets: 41 });
  });

  it('is told from one that was changed afterwards, and from what is no recording', async () => {
    await using directory = await temporaryDirectory();
    await using core = await startCore(directory.path);
    const release = await publishRelease(core, directory.path, '2.0.0');
    const boards = [await connectBoard(core, 'b1'), await connectBoard(core, 'b2')];
    const { id } = await core.client.startRollout({ release: release.id, selector: '*', expect: 2 });
    await updateBoard(boards[0]!, release, 'rolled-back');
    const rows = await recordingOf(core, id);
    expect((await replayRecording(rows)).report.rollout.state).toBe('halted');
    const other = rows.map((row) => (row.kind === 'step' ? { ...row, input: { kind: 'open' } } : row));
    expect((await replayRecording(other)).differences.join()).toContain('state: "halted" recorded, "running" here');
    await expect(replayRecording(rows.slice(0, -1))).rejects.toThrow(/no whole recording/);
    await expect(replayRecording(rows.slice(1))).rejects.toThrow(/no whole recording/);
    await expect(core.client.rolloutReport('r-none')).rejects.toMatchObject({ code: 'rollout-unknown' });
    await expect(recordingOf(core, 'r-none')).rejects.toMatchObject({ code: 'rollout-unknown' });
  });
});
