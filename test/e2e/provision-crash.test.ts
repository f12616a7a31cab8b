/**
 * What goes wrong while a host is provisioned: the technician's machine dies between any two steps, sleeps, two of them
 * want one host, the host's disk is full. Each against a host of its own, with a real sshd.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startBareHost, whyNoBareHost, type BareHost } from '../support/bare-host.ts';
import { start } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { createFleet, type TestFleet } from '../support/fleet.ts';
import type { ProvisionOrder } from '../support/provision-process.ts';

const skip = (await whyNoBareHost('what goes wrong while a host is provisioned')) !== undefined;
const program = join(import.meta.dirname, '..', 'support', 'provision-process.ts');

describe.skipIf(skip)('provision ssh, when something goes wrong', () => {
  let fleet: TestFleet;
  beforeAll(async () => void (fleet = await createFleet()));
  afterAll(() => fleet?.[Symbol.asyncDispose]());

  const flags = (host: BareHost, id: string): string[] => {
    const named = ['--known-hosts', join(host.folder, 'known_hosts'), '--coordinator', `127.0.0.1:${fleet.port}`];
    return ['provision', 'ssh', `root@127.0.0.1:${host.port}`, '--id', id, '-i', host.keyFile, ...named, '--json'];
  };
  const provision = async (host: BareHost, id: string) => {
    const ran = await fleet.cli(flags(host, id), { timeoutMs: 150_000 });
    return { exitCode: ran.exitCode, ...ran.json().hosts[0] };
  };
  const show = async (id: string) => fleet.cli(['device', 'show', id, '--json']);
  const isConnected = async (id: string): Promise<boolean> => (await show(id)).json().connected === true;
  /** As from any host, without what the agent's own service is. */
  const foreign = async (host: BareHost): Promise<string[]> =>
    (await host.traces()).filter((line) => line.includes('flotilla-provision') || line.includes('flotilla-guard'));
  /** What it leaves on its own machine goes with the host's folder. */
  const provisionAndDie = ({ folder }: BareHost, order: ProvisionOrder) =>
    execa(process.execPath, [program, JSON.stringify(order)], { reject: false, env: { TMPDIR: folder } });

  /** A guard ends within a second after its folder; one that takes an installation back needs longer. */
  const withoutTrace = (traces: () => Promise<string[]>) =>
    eventually('nothing is left', async () => (await traces()).length === 0, { timeoutMs: 60_000 });

  it.each([
    ['looking', 0],
    ['sending', 0],
    ['making its key', 0],
    ['signing', 0],
    ['signing', 150],
    ['installing', 0],
    ['installing', 900],
    ['installing', 2_500],
    ['waiting', 0],
  ] as const)(
    'a laptop that dies at "%s" (and %i ms): repeated, it completes, and nothing of the first try comes back later',
    async (killAt, killAfterMs) => {
      await using host = await startBareHost();
      const deviceId = `k-${killAt.replaceAll(' ', '-')}-${killAfterMs}`;
      const { port, keyFile, fingerprint } = host;
      const order: ProvisionOrder = {
        fleetDir: fleet.dir,
        coordinatorPort: fleet.port,
        host: { port, keyFile, fingerprint },
        deviceId,
        killAt,
        killAfterMs,
      };
      const killed = await provisionAndDie(host, order);
      expect([killed.signal, killed.stderr]).toEqual(['SIGKILL', '']);
      expect(await provision(host, deviceId)).toMatchObject({ exitCode: 0, outcome: 'provisioned' });
      // Longer than the guard of the first try is silent: it has ended, and has taken nothing along.
      await withoutTrace(() => foreign(host));
      expect(await provision(host, deviceId)).toMatchObject({ exitCode: 0, outcome: 'unchanged' });
      expect(await isConnected(deviceId)).toBe(true);
      const { stdout } = await host.sh("ps -eo args | grep -c '[n]ode.*flotilla-agent.js run'");
      expect(Number(stdout)).toBe(2); // the agent, and what keeps it running
    },
    150_000,
  );

  it('a laptop that dies and does not come back: the host takes everything back by itself', async () => {
    await using host = await startBareHost();
    const { port, keyFile, fingerprint } = host;
    const order = { fleetDir: fleet.dir, coordinatorPort: fleet.port, host: { port, keyFile, fingerprint } };
    const last = { ...order, deviceId: 'gone-1', killAt: 'waiting', killAfterMs: 0 };
    await provisionAndDie(host, last);
    expect(await host.traces()).not.toEqual([]);
    await withoutTrace(() => host.traces());
  }, 120_000);

  it('a laptop that sleeps while the line ends: it goes on where it was', async () => {
    await using host = await startBareHost({ sshd: 'ClientAliveInterval 1\nClientAliveCountMax 1' });
    const running = start(flags(host, 'sleep-1'), { env: { FLOTILLA_FLEET_DIR: fleet.dir }, timeoutMs: 120_000 });
    await eventually('it is at work', async () => (await foreign(host)).length > 0, { everyMs: 10 });
    running.kill('SIGSTOP');
    await eventually('the host has ended the line', async () => (await host.connections()) === 0);
    running.kill('SIGCONT');
    const { exitCode, stdout } = await running;
    expect([exitCode, JSON.parse(stdout).hosts[0].outcome]).toEqual([0, 'provisioned']);
    await withoutTrace(() => foreign(host));
  }, 120_000);

  it('two technicians at one host: one has it, the other is told who', async () => {
    await using host = await startBareHost();
    const both = await Promise.all([provision(host, 'race-1'), provision(host, 'race-1')]);
    expect(both.map(({ exitCode }) => exitCode).toSorted()).toEqual([0, 4]);
    const lost = both.find(({ outcome }) => outcome === 'failed');
    expect(lost.error).toMatchObject({ code: 'host-busy', seen: expect.stringMatching(/^\S+@\S+$/) });
    expect(await isConnected('race-1')).toBe(true);
    await withoutTrace(() => foreign(host));
  }, 120_000);

  it.each([
    ['before anything is sent', 4 << 20, 'host-disk-full'],
    ['in the middle of it', 16 << 20, 'host-command-failed'],
  ])('a disk that is full %s: it says so, and nothing is left', async (_, diskBytes, code) => {
    await using host = await startBareHost({ diskBytes });
    if (code === 'host-command-failed') {
      // Room for what is counted; another program takes it meanwhile.
      const taker = 'until ls /var/lib/flotilla-provision/*/*.gz; do :; done; cat /dev/zero > /var/filler';
      await host.sh(`(${taker}) >/dev/null 2>&1 &`);
    }
    const failed = await provision(host, 'full-1');
    expect(failed).toMatchObject({ exitCode: 4, outcome: 'failed', error: { code } });
    expect(JSON.stringify(failed.error)).toMatch(/MB free|No space left|ENOSPC/);
    await withoutTrace(() => host.traces());
    expect((await show('full-1')).exitCode).toBe(2);
    expect(await readFile(join(host.folder, 'known_hosts'), 'utf8')).toBe(host.hostKeyLine);
  });
});
