/** What may happen to storages: each has its named outcome, and histories never mix. */
import { cp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDoor } from '../../src/door/index.ts';
import { eventually } from '../support/eventually.ts';
import { createFleet, type TestAgent, type TestFleet } from '../support/fleet.ts';

interface EventRow {
  type: string;
  key: string;
  instanceId: string;
  payload: { n?: number; outcome?: string; reason?: string };
}

let staging: TestFleet;
let fleet: TestFleet;
beforeAll(async () => {
  [staging, fleet] = await Promise.all([createFleet(), createFleet()]);
});
afterAll(() => Promise.all([staging, fleet].map((each) => each?.[Symbol.asyncDispose]())));

const tail = async (where: TestFleet, id: string): Promise<EventRow[]> =>
  (await where.cli(['event', 'tail', '--from', '1', '--limit', '10000', '--selector', id, '--json'])).rows<EventRow>();
const readings = async (where: TestFleet, id: string): Promise<(number | undefined)[]> =>
  (await tail(where, id)).filter(({ type }) => type === 'reading').map(({ payload }) => payload.n);
const outcomes = async (where: TestFleet, id: string): Promise<string[]> =>
  (await tail(where, id)).filter(({ type }) => type.endsWith('.history')).map(({ key }) => key);

async function publish({ dir }: TestAgent, ...numbers: number[]): Promise<void> {
  await using door = await eventually('the door is open', () =>
    openDoor({ socket: join(dir, 'door.sock') }).catch(() => undefined),
  );
  for (const n of numbers) await door.publish({ type: 'reading', value: { n } });
}

const arrived = (where: TestFleet, id: string, n: number) =>
  eventually(`reading ${n} of ${id}`, async () => (await readings(where, id)).includes(n));
/** The agent reads its grains anew when it starts. */
async function moveTo(agent: TestAgent, site: string): Promise<void> {
  await writeFile(join(agent.dir, 'grains.yaml'), JSON.stringify({ site }));
  await agent.kill();
  await agent.restart();
}
const atSite = (id: string, site: string) =>
  eventually(`${id} is at ${site} and nowhere else`, async () => {
    const here = await fleet.cli(['select', 'match', `L@${id} and G@site:${site}`, '--json']);
    const elsewhere = await fleet.cli(['select', 'match', `L@${id} and not G@site:${site}`, '--json']);
    return here.exitCode === 0 && elsewhere.exitCode === 3;
  });
const stateOf = ({ dir }: TestAgent): string => join(dir, 'state');

describe('the history of a device', () => {
  it('whose data folder was wiped begins anew, as wiped', async () => {
    const agent = await fleet.addAgent('wiped');
    await fleet.connected('wiped');
    await publish(agent, 1, 2);
    await arrived(fleet, 'wiped', 2);
    await agent.kill();
    await rm(stateOf(agent), { recursive: true });
    await agent.restart();
    await publish(agent, 3);
    await arrived(fleet, 'wiped', 3);
    const rows = await tail(fleet, 'wiped');
    expect(await readings(fleet, 'wiped')).toEqual([1, 2, 3]);
    expect(new Set(rows.filter(({ type }) => type === 'reading').map(({ instanceId }) => instanceId)).size).toBe(2);
    expect(await outcomes(fleet, 'wiped')).toEqual(['wiped']);
  });

  it('that moves here from staging leaves there what staging has, as moved', async () => {
    const before = await staging.addAgent('moved');
    await staging.connected('moved');
    await publish(before, 1, 2, 3);
    await arrived(staging, 'moved', 3);
    const status = async () =>
      (await staging.cli(['agent', 'status', '--socket', join(before.dir, 'door.sock'), '--json'])).json<{
        link: { state: string };
        lanes: { ackedSeq: number }[];
      }>();
    await eventually('staging has acknowledged them', async () => (await status()).lanes[3]!.ackedSeq === 3);
    await staging.killCoordinator();
    // Acknowledgements are on the disk when the session is over.
    await eventually('the agent has lost staging', async () => (await status()).link.state !== 'live');
    await publish(before, 4);
    await before.kill();

    const agent = await fleet.addAgent('moved');
    await agent.kill();
    await rm(stateOf(agent), { recursive: true, force: true });
    await cp(stateOf(before), stateOf(agent), { recursive: true });
    await agent.restart();
    await publish(agent, 5);
    await arrived(fleet, 'moved', 5);
    await fleet.connected('moved');
    expect(await readings(fleet, 'moved')).toEqual([4, 5]);
    expect((await outcomes(fleet, 'moved')).at(-1)).toBe('moved');
    const gaps = (await tail(fleet, 'moved')).filter(({ type }) => type === 'coordinator.gap');
    expect(gaps.map(({ payload }) => payload.reason)).toContain('not-kept');
  });

  it('is filled up again in a coordinator that was restored from an old backup', async () => {
    const agent = await fleet.addAgent('steady', { grains: { site: 'harbour' } });
    await fleet.connected('steady');
    await publish(agent, 1, 2, 3);
    await arrived(fleet, 'steady', 3);
    const data = join(fleet.dir, 'data');
    const backup = join(fleet.scratch, 'backup');
    await fleet.stopCoordinator();
    await cp(data, backup, { recursive: true });
    await fleet.startCoordinator();
    await publish(agent, 4, 5, 6);
    await arrived(fleet, 'steady', 6);
    await eventually('they are acknowledged', async () => {
      const status = await fleet.cli(['agent', 'status', '--socket', join(agent.dir, 'door.sock'), '--json']);
      return status.json<{ lanes: { ackedSeq: number }[] }>().lanes[3]!.ackedSeq === 6;
    });
    await moveTo(agent, 'island');
    await atSite('steady', 'island');
    expect((await tail(fleet, 'steady')).map(({ type }) => type)).toContain('flotilla.grains-change');
    await fleet.stopCoordinator();
    await rm(data, { recursive: true });
    await cp(backup, data, { recursive: true });
    await fleet.startCoordinator();
    await publish(agent, 7);
    await arrived(fleet, 'steady', 7);
    expect(await readings(fleet, 'steady')).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(await outcomes(fleet, 'steady')).toContain('coordinator-set-back');
    await fleet.connected('steady');
    // Whatever the backup knows of its grains, a change of them leaves no wrong set behind.
    await moveTo(agent, 'quay');
    await atSite('steady', 'quay');
  });

  it('goes on where it was when it was removed and let in again, and its facts are back', async () => {
    const agent = await fleet.addAgent('back', { grains: { site: 'harbour' } });
    await fleet.connected('back');
    await publish(agent, 1, 2);
    await arrived(fleet, 'back', 2);
    expect((await fleet.cli(['device', 'remove', 'back', '--yes'])).exitCode).toBe(0);
    await eventually('it waits for an operator', async () => {
      const shown = await fleet.cli(['device', 'show', 'back', '--json']);
      return shown.exitCode === 0 && shown.json<{ state: string }>().state === 'pending';
    });
    expect((await fleet.cli(['device', 'accept', 'back'])).exitCode).toBe(0);
    await publish(agent, 3);
    await arrived(fleet, 'back', 3);
    await fleet.connected('back');
    expect(await readings(fleet, 'back')).toEqual([1, 2, 3]);
    expect(await outcomes(fleet, 'back')).toContain('returned');
    expect((await fleet.cli(['select', 'match', 'G@site:harbour', '--json'])).stdout).toContain('back');
  });
});
