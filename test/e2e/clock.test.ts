/** Devices whose clock is wrong, and a coordinator whose clock was: real processes under libfaketime. */
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { flotilla } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { fakeTime, hasFakeTime, noFakeTime } from '../support/fake-time.ts';
import { createFleet, type TestAgent, type TestFleet } from '../support/fleet.ts';

const dayMs = 86_400_000;
const wrong = { 'c-1970': '@1970-01-02 00:00:00', 'c-2038': '@2038-01-20 00:00:00' } as const;
const scratch = (...path: string[]) => join(fleet.scratch, ...path);
const quick = (yaml: string) =>
  yaml.replace('firstMaxMs: 5000', 'firstMaxMs: 300').replace('maxMs: 300000', 'maxMs: 1000');
let fleet: TestFleet;
const agents: Record<string, TestAgent> = {};

const json = async (...args: string[]) => {
  const ran = await fleet.cli([...args, '--json']);
  expect(ran.exitCode, ran.stdout + ran.stderr).toBe(0);
  return ran.json();
};
const clockOf = async (id: string) => (await json('device', 'show', id)).clock;
const told = (id: string, source: string) =>
  eventually(`${id} has told its clock`, async () => {
    const clock = await clockOf(id);
    return clock?.source === source && clock;
  });
const eventsOf = async (selector: string, type: string) =>
  (await fleet.cli(['event', 'tail', '--selector', selector, '--type', type, '--json'])).rows();

describe.skipIf(!hasFakeTime)('a wrong clock', () => {
  beforeAll(async () => {
    fleet = await createFleet();
    for (const [id, time] of Object.entries(wrong)) {
      agents[id] = await fleet.addAgent(id, { configure: quick, env: fakeTime(time) });
    }
    const right = ['c-now', 'p-1', 'p-2'];
    for (const id of right) agents[id] = await fleet.addAgent(id, { configure: quick });
    await Promise.all([...Object.keys(wrong), ...right].map((id) => fleet.connected(id)));
  }, 60_000);
  afterAll(() => fleet?.[Symbol.asyncDispose]());

  it('of a device, 1970 or 2038, is overruled by signed time; the device works, and everybody can see it', async () => {
    const yearMs = 365.25 * dayMs;
    for (const [id, years] of [
      ['c-1970', -56],
      ['c-2038', 12],
    ] as const) {
      const { skewMs, floorMs } = await told(id, 'signed');
      expect(Math.abs(skewMs / yearMs - years)).toBeLessThan(2);
      expect(Math.abs(floorMs - Date.now())).toBeLessThan(60_000);
      const device = await eventually(`${id} has told it as a grain`, async () => {
        const shown = await json('device', 'show', id);
        return shown.grains.clock?.source === 'signed' && shown;
      });
      expect(Math.abs(device.grains.clock.skewSeconds * 1000 - skewMs)).toBeLessThan(60_000);
      expect((await eventsOf(id, 'coordinator.clock-skew')).at(-1).payload).toMatchObject({ source: 'signed' });
      const ran = await fleet.cli(['run', id, '--', 'true']);
      expect(ran.exitCode, ran.stdout + ran.stderr).toBe(0);
      const finished = (await eventsOf(id, 'flotilla.job')).at(-1);
      expect(Math.abs(finished.payload.finishedAtMs - Date.now())).toBeLessThan(60_000);
      expect(Math.abs(finished.timestampMs - Date.now())).toBeLessThan(60_000);
      const here = await fleet.cli(['agent', 'status', '--config', scratch(id, 'agent.yaml')]);
      expect(here.stdout).toMatch(/clock: +signed time; the machine's own is \d+d.* (behind|ahead)/);
    }
    expect((await told('c-now', 'rtc')).skewMs).toBeLessThan(1_000);
    expect((await json('device', 'show', 'c-now')).grains.clock).toEqual({ source: 'rtc' });
    expect((await fleet.cli(['device', 'show', 'c-1970'])).stdout).toMatch(
      /clock: +\d+d\d*h? behind, corrected by signed time/,
    );
    const { alerts } = await json('coordinator', 'status');
    expect(
      alerts.map(({ deviceId, kind }: { deviceId: string; kind: string }) => `${kind} ${deviceId}`).toSorted(),
    ).toEqual(['clock c-1970', 'clock c-2038']);
    expect((await fleet.cli(['select', 'match', 'G@clock:source:signed', '--json'])).json().ids).toEqual([
      'c-1970',
      'c-2038',
    ]);
  });

  it('of a device does not keep it from a new certificate, which it comes in with', async () => {
    for (const id of Object.keys(wrong)) {
      const before = (await json('device', 'show', id)).certificate.serial;
      const renewed = await json('cert', 'renew', id, '--wait', '--timeout', '60s');
      expect(renewed.outcome).toMatchObject({ proven: [id], failed: [], waiting: [] });
      expect((await json('device', 'show', id)).certificate.serial).not.toBe(before);
    }
  });

  it('of a device that restarts without a coordinator is bridged by what it knows', async () => {
    await fleet.stopCoordinator();
    for (const id of Object.keys(wrong)) {
      agents[id]!.signal('SIGTERM'); // the floor is kept on the way out
      await eventually('it has stopped', async () => (await agents[id]!.log()).includes('agent stops'));
      await agents[id]!.kill();
      await agents[id]!.restart();
    }
    for (const id of Object.keys(wrong)) {
      await eventually(`${id} is up`, async () => {
        const ran = await fleet.cli(['agent', 'status', '--config', scratch(id, 'agent.yaml'), '--json']);
        return ran.exitCode === 0 && ran.json().clock.source !== 'rtc';
      });
    }
    await fleet.startCoordinator();
    for (const id of Object.keys(wrong)) {
      await eventually('it is back', async () => (await json('device', 'show', id)).connected);
      const boots = await eventually('it has told its second boot', async () => {
        const rows = await eventsOf(id, 'flotilla.boot');
        return rows.length >= 2 && rows;
      });
      // The first was before anybody had told the time, the second after.
      expect(Math.abs(boots.at(-1).timestampMs - Date.now())).toBeLessThan(120_000);
    }
  });

  it('of the coordinator, once told, is not forgotten by itself, and by an order of the root, once', async () => {
    const id = 'p-1';
    await fleet.stopCoordinator();
    await fleet.startCoordinator(fakeTime('+100d'));
    const poisoned = await told(id, 'signed');
    expect(Math.round(poisoned.skewMs / dayMs)).toBe(-100);
    await fleet.stopCoordinator();
    await fleet.startCoordinator(noFakeTime);
    const { refused } = await eventually('it refuses the right time now', async () => {
      const clock = await clockOf(id);
      return clock.refused !== undefined && clock;
    });
    expect(refused).toContain('see ca sign-time-reset');
    expect((await fleet.cli(['device', 'show', id])).stdout).toContain('see ca sign-time-reset');
    const { alerts } = await json('coordinator', 'status');
    expect(alerts.find(({ deviceId }: { deviceId: string }) => deviceId === id)?.detail).toContain(
      'ca sign-time-reset',
    );
    // It still does what it is asked: that is judged by the clock that has set the limit.
    expect((await fleet.cli(['run', id, '--', 'true'])).exitCode).toBe(0);

    // The root was carried away, to a machine that knows no coordinator.
    const vault = scratch('vault');
    await mkdir(vault);
    for (const name of ['root.key', 'root.crt']) await copyFile(join(fleet.dir, 'pki', name), join(vault, name));
    const sign = (out: string, ...more: string[]) =>
      flotilla(
        ['ca', 'sign-time-reset', '--root-key', 'root.key', '--root-certificate', 'root.crt', '--out', out, ...more],
        { cwd: vault },
      );
    const signed = await sign('p-1.reset', '--device', id);
    expect(signed.stdout, signed.stderr).toContain('signed for 1 device');
    const file = join(vault, 'p-1.reset');
    expect((await fleet.cli(['device', 'reset-time', file])).stdout).toBe('p-1: sent');
    const mended = await told(id, 'rtc');
    expect([Math.abs(mended.skewMs) < 2_000, mended.refused]).toEqual([true, undefined]);
    await eventually('nothing is wrong any more', async () =>
      (await json('coordinator', 'status')).alerts.every(({ deviceId }: { deviceId: string }) => deviceId !== id),
    );

    // A second time, in both ways: it was taken.
    expect((await fleet.cli(['device', 'reset-time', file])).exitCode).toBe(0);
    const outcomes = async () => (await eventsOf(id, 'coordinator.time-reset')).map(({ payload }) => payload.outcome);
    await eventually('it says no', async () => (await outcomes()).length === 2);
    expect(await outcomes()).toEqual(['taken', 'this reset, or a later one, was taken before']);
    const atDevice = ['agent', 'reset-time', '--config', scratch(id, 'agent.yaml'), '--json'];
    const again = await fleet.cli([...atDevice, file]);
    expect([again.exitCode, again.json().error.code]).toEqual([6, 'time-reset-refused']);

    // Wrong ones: for another device, changed, too old, of another root.
    await sign('other.reset', '--device', 'c-now');
    const other = await fleet.cli([...atDevice, join(vault, 'other.reset')]);
    expect([other.exitCode, other.json().error.code]).toEqual([2, 'time-reset-other']);
    const order = JSON.parse(await readFile(file, 'utf8'));
    const forged = join(vault, 'forged.reset');
    await writeFile(forged, `${JSON.stringify({ ...order, timeMs: order.timeMs + 1 })}\n`);
    for (const args of [
      [...atDevice, forged],
      ['device', 'reset-time', forged, '--json'],
    ]) {
      const refusal = await fleet.cli(args);
      expect([refusal.exitCode, refusal.json().error.code]).toEqual([6, 'time-reset-signature']);
    }
    await sign('old.reset', '--device', id, '--time', '8d');
    const old = await fleet.cli(['device', 'reset-time', join(vault, 'old.reset'), '--json']);
    expect([old.exitCode, old.json().error.code]).toEqual([6, 'time-reset-expired']);
  });

  it('is mended at the device itself, when the coordinator can not reach it', async () => {
    const id = 'p-2';
    await fleet.stopCoordinator();
    await fleet.startCoordinator(fakeTime('+50d'));
    await told(id, 'signed');
    await fleet.stopCoordinator();
    const signed = await fleet.cli(['ca', 'sign-time-reset', '--device', id, '--out', scratch('p-2.reset')]);
    expect(signed.exitCode, signed.stderr).toBe(0);
    const args = ['agent', 'reset-time', scratch('p-2.reset'), '--config', scratch(id, 'agent.yaml')];
    expect((await fleet.cli(args)).stdout).toMatch(/^p-2 went back to /);
    await fleet.startCoordinator(noFakeTime);
    await told(id, 'rtc');
    expect((await clockOf(id)).refused).toBeUndefined();
  });

  it('needs the passphrase of the root, and says what is missing', async () => {
    const dir = scratch('guarded');
    await writeFile(scratch('pass'), 'correct horse\n', { mode: 0o600 });
    await writeFile(scratch('wrong'), 'incorrect horse\n', { mode: 0o600 });
    await flotilla(['init', dir, '--passphrase-file', scratch('pass'), '--port', '0']);
    const sign = (out: string, ...more: string[]) =>
      flotilla([
        'ca',
        'sign-time-reset',
        '--device',
        'x',
        '--out',
        scratch(out),
        '--fleet-dir',
        dir,
        '--json',
        ...more,
      ]);
    const good = await sign('x.reset', '--passphrase-file', scratch('pass'));
    expect(good.exitCode, good.stdout).toBe(0);
    const none = await sign('y.reset');
    expect([none.exitCode, none.json().error.code]).toEqual([2, 'secret-not-given']);
    expect((await sign('z.reset', '--passphrase-file', scratch('wrong'))).exitCode).toBe(2);
    // Nothing half-made stays.
    expect((await flotilla(['device', 'reset-time', scratch('y.reset'), '--json'])).json().error.code).toBe(
      'file-unreadable',
    );
  });
});
