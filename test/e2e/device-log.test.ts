/** The device's log from the command line: a state folder that was set back, a log that is full, what only the newest matters of. */
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDoor } from '../../src/door/index.ts';
import { eventually } from '../support/eventually.ts';
import { createFleet, type TestAgent, type TestFleet } from '../support/fleet.ts';

interface EventRow {
  type: string;
  instanceId: string;
  lane: number;
  seq: number;
  payload: Record<string, unknown> & { reason?: string };
}

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await createFleet();
});
afterAll(() => fleet[Symbol.asyncDispose]());

const tail = async (id: string): Promise<EventRow[]> =>
  (await fleet.cli(['event', 'tail', '--from', '1', '--limit', '10000', '--selector', id, '--json'])).rows<EventRow>();
const doorOf = ({ dir }: TestAgent) =>
  eventually('the door is open', () => openDoor({ socket: join(dir, 'door.sock') }).catch(() => undefined));
const withTypes = (types: string) => (yaml: string) => yaml.replace('types: {}', `types: ${types}`);

describe('the log of a device', () => {
  it('that was set back to an old copy goes on as another instance, and says so', async () => {
    const agent = await fleet.addAgent('restored');
    await fleet.connected('restored');
    const publish = async (values: number[]): Promise<void> => {
      await using door = await doorOf(agent);
      for (const n of values) await door.publish({ type: 'reading', value: { n } });
    };
    const arrived = (n: number) =>
      eventually(`reading ${n}`, async () => (await tail('restored')).some(({ payload }) => payload['n'] === n));
    await publish([1, 2]);
    await arrived(2);
    const state = join(agent.dir, 'state');
    const stop = async (): Promise<void> => {
      agent.signal('SIGTERM');
      await eventually('it has left', async () => {
        const { connected } = (await fleet.cli(['device', 'show', 'restored', '--json'])).json<{
          connected: boolean;
        }>();
        return !connected;
      });
      await agent.kill();
    };
    await stop();
    await cp(state, `${state}.old`, { recursive: true });
    await agent.restart();
    await publish([3, 4, 5]);
    await arrived(5);
    await stop();

    // The old copy comes back; before there is a way to the coordinator more is published than was lost.
    await rm(state, { recursive: true });
    await cp(`${state}.old`, state, { recursive: true });
    await fleet.stopCoordinator();
    await agent.restart();
    await publish([6, 7, 8, 9, 10]);
    await agent.kill();
    await agent.restart(); // and a restart in between does not hide it
    await fleet.startCoordinator();
    await arrived(10);

    const rows = await tail('restored');
    const readings = rows.filter(({ type }) => type === 'reading');
    expect(readings.map(({ payload }) => payload['n'])).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(new Set(readings.map(({ instanceId }) => instanceId)).size).toBe(2);
    const gaps = rows.filter(({ type }) => type === 'coordinator.gap').map(({ payload }) => payload);
    expect(gaps).toContainEqual(
      expect.objectContaining({
        lane: 3,
        from: 1,
        to: 2,
        reason: 'new-instance',
        instanceId: readings.at(-1)!.instanceId,
      }),
    );
  });

  it('gives up the least urgent when too much waits, says so, and refuses what it can not take', async () => {
    const agent = await fleet.addAgent('crowded', {
      configure: (yaml) =>
        withTypes('{ alarm: { lane: alarm } }')(yaml).replace('maxBytes: 67108864', 'maxBytes: 65536'),
    });
    await fleet.connected('crowded');
    await fleet.stopCoordinator();
    const value = (n: number) => ({ n, text: 'x'.repeat(1_000) });
    {
      await using door = await doorOf(agent);
      for (let n = 1; n <= 100; n += 1) await door.publish({ type: 'reading', value: value(n) });
      for (let n = 1; n <= 45; n += 1) await door.publish({ type: 'alarm', value: value(n) });
      // Alarms take what readings had; when only alarms are left, a large reading is told no.
      await expect(door.publish({ type: 'reading', value: 'y'.repeat(40_000) })).rejects.toMatchObject({
        code: 'eventlog-full',
      });
    }
    await fleet.startCoordinator();
    await fleet.connected('crowded');
    const rows = await eventually('all that was kept', async () => {
      const listed = await tail('crowded');
      return listed.some(({ type, payload }) => type === 'reading' && payload['n'] === 100) ? listed : undefined;
    });
    const alarms = rows.filter(({ type }) => type === 'alarm').map(({ payload }) => payload['n']);
    expect(alarms).toEqual(Array.from({ length: 45 }, (_, n) => n + 1));
    const readings = rows.filter(({ type }) => type === 'reading').map(({ seq }) => seq);
    const given = rows.filter(({ type }) => type === 'flotilla.gap').map(({ payload }) => payload);
    const told = rows.filter(({ type, payload }) => type === 'coordinator.gap' && payload['lane'] === 3);
    expect(told.every(({ payload }) => payload.reason === 'disk-pressure')).toBe(true);
    // Each of the hundred came, or an event of the device and one of the coordinator name it.
    const lost = Array.from({ length: 100 }, (_, n) => n + 1).filter((seq) => !readings.includes(seq));
    expect(lost.length).toBeGreaterThan(40);
    const names = (ranges: { from: unknown; to: unknown }[], seq: number): boolean =>
      ranges.some(({ from, to }) => Number(from) <= seq && seq <= Number(to));
    const byDevice = given.map(({ fromSeq, toSeq }) => ({ from: fromSeq, to: toSeq }));
    const byCoordinator = told.map(({ payload }) => ({ from: payload['from'], to: payload['to'] }));
    expect(lost.filter((seq) => !names(byDevice, seq) || !names(byCoordinator, seq))).toEqual([]);
  });

  it('sends only the newest of a key where only that matters, and the lane does not lag behind', async () => {
    const agent = await fleet.addAgent('latest', {
      configure: withTypes('{ level: { lane: state, latestOnly: true } }'),
    });
    await fleet.connected('latest');
    await fleet.stopCoordinator();
    {
      await using door = await doorOf(agent);
      for (let n = 1; n <= 10; n += 1) await door.publish({ type: 'level', key: `tank-${n % 2}`, value: { n } });
    }
    await fleet.startCoordinator();
    const rows = await eventually('the newest', async () => {
      const listed = (await tail('latest')).filter(({ type }) => type === 'level');
      return listed.length >= 2 ? listed : undefined;
    });
    expect(rows.map(({ payload }) => payload['n'])).toEqual([9, 10]);
    const gaps = (await tail('latest')).filter(({ type }) => type === 'coordinator.gap');
    expect(gaps.map(({ payload }) => payload.reason)).toContain('superseded');
    await eventually('all is acknowledged', async () => {
      await using door = await doorOf(agent);
      return (await door.status()).lanes.every(
        ({ waitingRows, nextSeq, ackedSeq }) => waitingRows === 0 && ackedSeq === nextSeq - 1,
      );
    });
  });
});
