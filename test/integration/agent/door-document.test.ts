import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDoor, type DoorClient } from '../../../src/door/index.ts';
import type { ConfigEvent } from '../../../src/protocol/event.ts';
import type { ConfigDesired } from '../../../src/protocol/request.ts';
import { agentParts, type AgentParts } from '../../support/agent-parts.ts';
import { openBench, type DoorBench } from '../../support/door-bench.ts';

let parts: AgentParts;
let bench: DoorBench;
let client: DoorClient;

beforeEach(async () => {
  parts = await agentParts();
  bench = await openBench(parts);
  client = await openDoor({ socket: bench.socket });
});
afterEach(async () => {
  await client.close();
  await bench.door.stop();
  await parts[Symbol.asyncDispose]();
});

/** As the inbox does it: settled within the transaction of its effect. */
function desire(desired: Partial<ConfigDesired>): number {
  let settled = 0;
  const whole = { name: 'meter', version: 1, baseRevision: 0, document: { rate: 1 }, ...desired };
  void bench.door.handlers['config.desired']!(whole, () => {
    expect(parts.database.isTransaction).toBe(true);
    settled += 1;
  });
  return settled;
}

const told = () => parts.events<ConfigEvent>(2, 'flotilla.config');

describe('configuration documents', () => {
  it('wait for the product, are taken up with its word, and each word is an event', async () => {
    expect(desire({})).toBe(1);
    expect(await client.documents()).toEqual([{ name: 'meter', revision: 0, desiredVersion: 0, pendingVersion: 1 }]);
    const documents = client.watchDocuments();
    const { value: first } = await documents.next();
    expect(first).toEqual({
      name: 'meter',
      revision: 0,
      document: null,
      desiredVersion: 0,
      desired: { version: 1, baseRevision: 0, document: { rate: 1 } },
    });
    expect(await client.applied('meter', 1)).toEqual({ revision: 1 });
    desire({ version: 2, baseRevision: 1, document: { rate: 2 } });
    const { value: second } = await documents.next();
    expect(second).toMatchObject({ revision: 1, document: { rate: 1 }, desired: { version: 2 } });
    expect(await client.rejected('meter', 2, 'rate 2 is too fast')).toEqual({ revision: 1 });
    desire({ version: 3, baseRevision: 1, document: { rate: 3 } });
    await documents.next();
    expect(await client.applied('meter', 3, { document: { rate: 3, unit: 's' } })).toEqual({ revision: 2 });
    expect(await client.document('meter')).toEqual({
      name: 'meter',
      revision: 2,
      document: { rate: 3, unit: 's' },
      desiredVersion: 3,
      state: 'applied',
    });
    expect(told()).toEqual([
      { name: 'meter', revision: 1, desiredVersion: 1, document: { rate: 1 }, state: 'applied' },
      {
        name: 'meter',
        revision: 1,
        desiredVersion: 2,
        document: { rate: 1 },
        state: 'rejected',
        reason: 'rate 2 is too fast',
      },
      { name: 'meter', revision: 2, desiredVersion: 3, document: { rate: 3, unit: 's' }, state: 'applied' },
    ]);
  });

  it('that nobody watches are handed over at the next watch, also by the next process', async () => {
    desire({});
    desire({ name: 'modem', version: 4 });
    await client.close();
    await bench.door.stop();
    bench = await openBench(parts);
    client = await openDoor({ socket: bench.socket });
    const only = client.watchDocuments(['modem']);
    expect((await only.next()).value).toMatchObject({ name: 'modem', desired: { version: 4 } });
    await using other = await openDoor({ socket: bench.socket });
    const all = other.watchDocuments();
    expect((await all.next()).value).toMatchObject({ name: 'meter' });
    expect((await all.next()).value).toMatchObject({ name: 'modem' });
    // Both have it; the first word counts.
    await other.applied('modem', 4);
    await expect(client.rejected('modem', 4, 'no')).rejects.toMatchObject({
      code: 'config-superseded',
      fault: 'refused',
    });
    expect(told()).toHaveLength(1);
  });

  it('are changed on the device too: that is told with its base, and what waits still waits', async () => {
    expect(await client.change('meter', { rate: 5 })).toEqual({ revision: 1 });
    expect(await client.change('meter', { rate: 5 })).toEqual({ revision: 1 });
    desire({ version: 7, baseRevision: 1 });
    expect(await client.change('meter', { rate: 6 })).toEqual({ revision: 2 });
    expect(await client.document('meter')).toMatchObject({
      document: { rate: 6 },
      state: 'local',
      desired: { version: 7 },
    });
    await client.applied('meter', 7);
    await client.change('meter', null);
    expect(told().map(({ revision, desiredVersion, state }) => [revision, desiredVersion, state])).toEqual([
      [1, 0, 'local'],
      [2, 0, 'local'],
      [3, 7, 'applied'],
      [4, 7, 'local'],
    ]);
  });

  it('of an old version are not looked at, and an answer that is said again is no second event', async () => {
    desire({ version: 5 });
    expect(desire({ version: 5, document: 'again' })).toBe(1);
    expect(desire({ version: 4 })).toBe(1);
    await expect(client.applied('meter', 4)).rejects.toMatchObject({ code: 'config-superseded' });
    await client.applied('meter', 5);
    expect(await client.applied('meter', 5)).toEqual({ revision: 1 });
    desire({ version: 5 });
    expect(await client.documents()).toMatchObject([{ name: 'meter', state: 'applied' }]);
    expect((await client.documents())[0]).not.toHaveProperty('pendingVersion');
    expect(told()).toHaveLength(1);
    await expect(client.document('nothing')).rejects.toMatchObject({ code: 'config-unknown', fault: 'usage' });
  });

  it('rejected before the device has any is told with revision 0', async () => {
    desire({});
    await client.rejected('meter', 1, 'x'.repeat(1_000));
    expect(told()).toEqual([
      { name: 'meter', revision: 0, desiredVersion: 1, document: null, state: 'rejected', reason: 'x'.repeat(512) },
    ]);
  });

  it('that are too large, too deep or too many are refused, and nothing has changed', async () => {
    await expect(client.change('large', 'x'.repeat(262_144))).rejects.toMatchObject({ code: 'config-too-large' });
    const deep = JSON.parse('['.repeat(70) + ']'.repeat(70)) as unknown;
    await expect(client.change('deep', deep)).rejects.toMatchObject({ code: 'event-unfit' });
    expect(await client.documents()).toEqual([]);
    await Promise.all(Array.from({ length: 256 }, (_, n) => client.change(`d-${n}`, n)));
    await expect(client.change('one-more', 1)).rejects.toMatchObject({ code: 'config-too-many' });
    desire({ name: 'one-more' });
    expect(told().at(-1)).toMatchObject({ name: 'one-more', revision: 0, state: 'rejected' });
  });

  it('are handed to a slow reader one after the other, as they are by then', async () => {
    const large = 'x'.repeat(250_000);
    for (let n = 0; n < 30; n += 1) desire({ name: `d-${String(n).padStart(2, '0')}`, document: large });
    const seen: string[] = [];
    for await (const { name, desired } of client.watchDocuments()) {
      await client.applied(name, desired.version);
      seen.push(name);
      if (seen.length === 30) break;
    }
    expect(seen).toEqual(seen.toSorted());
    expect(told()).toHaveLength(30);
  });
});
