/** Devices at 1970 and at 2038 update: virtual boards, real agents, another date under them. */
import { expect, it } from 'vitest';
import type { Device, Rollout } from '../../src/client/contract/index.ts';
import { createBoardFleet } from '../support/board-fleet.ts';
import { eventually } from '../support/eventually.ts';
import { fakeTime, hasFakeTime } from '../support/fake-time.ts';

const wrong = { 'hm-1970': '@1970-01-02 00:00:00', 'hm-2038': '@2038-01-20 00:00:00' };

it.skipIf(!hasFakeTime)('a wrong clock does not keep a device from its update', async () => {
  await using boards = await createBoardFleet({ ids: Object.keys(wrong) });
  for (const [id, time] of Object.entries(wrong)) {
    const board = boards.boards.get(id)!;
    await board.powerOff();
    const before = { ...process.env };
    const environment = fakeTime(time);
    Object.assign(process.env, environment); // a board's processes have the environment of whoever switches it on
    await board.powerOn();
    for (const name of Object.keys(environment)) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  }
  const shown = (id: string) => boards.cli.run<Device>(['device', 'show', id]);
  for (const id of Object.keys(wrong)) {
    await eventually(`${id} goes by signed time`, async () => (await shown(id)).clock?.source === 'signed', {
      timeoutMs: 60_000,
    });
  }
  const release = await boards.release('2.0.0');
  const { id } = await boards.cli.run<Rollout>(['rollout', 'start', release.id, '*', '--expect', '2', '--yes']);
  const rollout = await eventually(
    'the rollout has ended',
    async () => {
      const seen = await boards.rollout(id);
      return seen.state !== 'running' && seen;
    },
    { timeoutMs: 120_000, everyMs: 200 },
  );
  expect(rollout.devices!.map(({ deviceId, state }) => `${deviceId} ${state}`)).toEqual([
    'hm-1970 committed',
    'hm-2038 committed',
  ]);
  for (const deviceId of Object.keys(wrong)) {
    const { running, clock } = await shown(deviceId);
    expect(running?.version).toBe('2.0.0');
    expect(Math.abs(clock!.skewMs)).toBeGreaterThan(300 * 86_400_000);
  }
});
