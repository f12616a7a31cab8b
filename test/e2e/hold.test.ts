/** What an operator does with a device that is not as it should be: hold it back, tell two copies apart. */
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launcher } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { createFleet, type TestAgent, type TestFleet } from '../support/fleet.ts';

let fleet: TestFleet;
let original: TestAgent;
const stack = new AsyncDisposableStack();
const quick = (yaml: string) =>
  yaml.replace('firstMaxMs: 5000', 'firstMaxMs: 300').replace('maxMs: 300000', 'maxMs: 1000');

beforeAll(async () => {
  fleet = stack.use(await createFleet());
  await fleet.addAgent('q-1', { configure: quick });
  original = await fleet.addAgent('c-1', { configure: quick });
  await fleet.connected('q-1');
  await fleet.connected('c-1');
});
afterAll(() => stack.disposeAsync());

const json = async (...args: string[]) => {
  const ran = await fleet.cli([...args, '--json']);
  expect(ran.exitCode, ran.stdout + ran.stderr).toBe(0);
  return ran.json();
};
const shown = async (id: string) => json('device', 'show', id);

describe('device quarantine', () => {
  it('holds a device to its control lane, says what that means, and lets it back in', async () => {
    expect(await json('device', 'quarantine', 'q-1', '--reason', 'odd readings')).toEqual({
      changed: ['q-1'],
      unchanged: [],
    });
    await eventually('it is back and held', async () => {
      const { connected, state, hold } = await shown('q-1');
      return connected && state === 'quarantined' && hold.reason === 'odd readings' && hold.by === 'operator';
    });
    const text = (await fleet.cli(['device', 'show', 'q-1'])).stdout;
    expect(text).toMatch(/because: +odd readings \(operator, /);
    expect(text).toContain('no jobs, updates, settings or requests');
    expect(text).toContain('flotilla device accept q-1');
    const why = (await fleet.cli(['why', 'q-1'])).stdout;
    expect(why).toContain('the device is quarantined: odd readings');
    // Not a target of anything any more.
    expect((await fleet.cli(['run', 'q-1', '--', 'true'])).exitCode).toBe(3);
    expect(await json('device', 'quarantine', 'q-1', '--reason', 'again')).toEqual({ changed: [], unchanged: ['q-1'] });
    // Decided by an operator, so nothing that he has to be told.
    expect((await json('coordinator', 'status')).alerts).toEqual([]);
    const events = (await fleet.cli(['event', 'tail', '--type', 'coordinator.device-quarantine', '--json'])).rows();
    expect(events).toMatchObject([{ deviceId: 'q-1', payload: { reason: 'odd readings' } }]);

    await json('device', 'accept', 'q-1');
    await eventually('it works again', async () => (await fleet.cli(['run', 'q-1', '--', 'true'])).exitCode === 0);
    expect((await shown('q-1')).hold).toBeUndefined();
    expect((await fleet.cli(['device', 'quarantine', 'nobody', '--reason', 'x'])).exitCode).toBe(3);
  });
});

describe('two machines of one identity', () => {
  it('are both held back with an alert; the one that is pinned comes in, the other stays out, after a restart too', async () => {
    const real = (await shown('c-1')).instanceId as string;
    // The card was copied, but for the data folder of its agent.
    const copy = join(fleet.scratch, 'copy');
    await cp(join(fleet.scratch, 'c-1'), copy, { recursive: true, filter: (path) => !path.endsWith('.sock') });
    await rm(join(copy, 'state'), { recursive: true });
    const args = [launcher, 'agent', 'run', '--config', join(copy, 'agent.yaml')];
    const startCopy = () => execa(process.execPath, args, { cwd: copy, reject: false, stdio: 'ignore' });
    let agent = startCopy();
    const stopCopy = async (): Promise<void> => {
      agent.kill('SIGKILL');
      await agent;
    };
    stack.defer(stopCopy);
    const hold = await eventually('found', async () => {
      const device = await shown('c-1');
      return device.state === 'quarantined' ? device.hold : undefined;
    });
    expect(hold).toMatchObject({ by: 'clone', reason: 'two devices have this identity' });
    expect(hold.instances).toHaveLength(2);
    expect(hold.instances).toContain(real);
    const { alerts, alertCount } = await json('coordinator', 'status');
    expect([alertCount, alerts[0].kind, alerts[0].deviceId]).toEqual([1, 'clone', 'c-1']);
    expect((await fleet.cli(['coordinator', 'status'])).stdout).toMatch(/alerts: +clone c-1: two devices have/);
    const text = (await fleet.cli(['device', 'show', 'c-1'])).stdout;
    expect(text).toContain('--instance HEX');
    for (const instance of hold.instances) expect(text).toContain(instance);
    expect((await fleet.cli(['why', 'c-1'])).stdout).toContain('quarantined: two devices have this identity');

    const unknown = await fleet.cli(['device', 'accept', 'c-1', '--instance', '0011223344556677', '--json']);
    expect([unknown.exitCode, unknown.json().error.code]).toEqual([2, 'device-instance-unknown']);
    const many = await fleet.cli(['device', 'accept', '*', '--instance', real, '--json']);
    expect([many.exitCode, many.json().error.code]).toEqual([2, 'device-instance-many']);

    await json('device', 'accept', 'c-1', '--instance', real);
    // Both were told to wait a minute; a restart forgets it.
    await stopCopy();
    await original.kill();
    await original.restart();
    agent = startCopy();
    const settled = async () => {
      const device = await shown('c-1');
      return device.connected && device.state === 'accepted' && device.instanceId === real && device.refused;
    };
    const refused = await eventually('the real one is in, the copy was refused', settled);
    expect(refused).toMatchObject({ rule: 'pinned-instance' });
    expect((await fleet.cli(['run', 'c-1', '--', 'true'])).exitCode).toBe(0);
    const events = (await fleet.cli(['event', 'tail', '--type', 'coordinator.refused', '--json'])).rows();
    expect(events).toHaveLength(1);
    expect((await json('coordinator', 'status')).alertCount).toBe(0);

    await fleet.stopCoordinator();
    await fleet.startCoordinator();
    await eventually('the real one again', settled);
    expect((await shown('c-1')).pinnedInstance).toBe(real);
    expect((await fleet.cli(['why', 'c-1'])).stdout).toContain(`${real} alone`);
  });
});
