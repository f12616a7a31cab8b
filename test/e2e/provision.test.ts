/**
 * Bare machines to devices over ssh: eight hosts with systemd as init and Debian's sshd, in containers. One has another
 * password than was given, one another host key than is known, one loses its network half way.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startContainer, whyNoContainer, type Container } from '../support/container.ts';
import { eventually } from '../support/eventually.ts';
import { createFleet, type TestFleet } from '../support/fleet.ts';
import { hasTools } from '../support/system-tool.ts';

const purpose = 'provisioning over ssh (the rest of it runs in test/integration/provision)';
const skip = (await whyNoContainer(purpose)) !== undefined || !hasTools(purpose, 'sshd', 'ssh-keygen');

interface Report {
  deviceId: string;
  outcome: string;
  changes: number;
  error?: { code: string; seen?: string };
}

/** What a machine has written, by name, owner, mode and content; without logs, and without what its agent writes while it runs. */
async function writtenBy(machine: Container): Promise<string> {
  const left = ['./var/log*', './var/lib/flotilla/state/*', './var/lib/systemd*', './run*', './tmp*', './root*'];
  const not = left.flatMap((path) => ['-not', '-path', path]);
  const names = await execa('find', ['.', '-mindepth', '1', ...not, '-printf', '%p %y %U:%G %m %T@\n'], {
    cwd: machine.written,
  });
  const sums = await execa('find', ['.', '-type', 'f', ...not, '-exec', 'sha256sum', '{}', '+'], {
    cwd: machine.written,
  });
  return [...names.stdout.split('\n'), ...sums.stdout.split('\n')].toSorted().join('\n');
}

/** Names that provisioning leaves, anywhere. */
async function traces(machine: Container): Promise<string[]> {
  const { stdout } = await execa('find', ['.', '-name', '*flotilla*', '-not', '-path', './var/log/*'], {
    cwd: machine.written,
  });
  const users = await readFile(join(machine.root, 'etc', 'passwd'), 'utf8');
  return [...stdout.split('\n').filter(Boolean), ...users.split('\n').filter((line) => line.includes('flotilla'))];
}

describe.skipIf(skip)('provision ssh', () => {
  let fleet: TestFleet;
  const machines: Container[] = [];
  const at = (...path: string[]) => join(fleet.scratch, ...path);
  const machine = (number: number): Container => machines[number - 1]!;
  const ids = Array.from({ length: 8 }, (_, index) => `p-${index + 1}`);
  const good = ids.slice(0, 5);

  beforeAll(async () => {
    fleet = await createFleet();
    await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at('key')]);
    await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at('stranger')]);
    const publicKey = await readFile(at('key.pub'), 'utf8');
    const start = (withKey: boolean) =>
      startContainer({
        services: ['ssh.service'],
        async prepare(root) {
          await mkdir(join(root, 'root', '.ssh'), { recursive: true, mode: 0o700 });
          await writeFile(join(root, 'root', '.ssh', 'authorized_keys'), withKey ? publicKey : '', { mode: 0o600 });
          const sshd = 'PermitRootLogin yes\nPasswordAuthentication yes\n';
          await mkdir(join(root, 'etc', 'ssh', 'sshd_config.d'), { recursive: true });
          await writeFile(join(root, 'etc', 'ssh', 'sshd_config.d', 'test.conf'), sshd);
        },
      });
    // Two at a time: a boot takes a core.
    for (let first = 0; first < ids.length; first += 2) {
      machines.push(...(await Promise.all([start(first !== 4), start(true)])));
    }
    for (const each of machines) await each.exec(['chpasswd'], { input: 'root:right horse\n' });
    await writeFile(at('password'), 'right horse\n', { mode: 0o600 });
    await writeFile(at('wrong'), 'wrong horse\n', { mode: 0o600 });
    await writeManifest({ passwordOfSixth: 'wrong', keyOfSeventh: await fingerprint(at('stranger.pub')) });
  }, 300_000);
  afterAll(async () => {
    for (const each of machines) await each[Symbol.asyncDispose]();
    await fleet?.[Symbol.asyncDispose]();
  }, 120_000);

  async function fingerprint(file: string): Promise<string> {
    return (await execa('ssh-keygen', ['-lf', file])).stdout.split(' ')[1]!;
  }

  /** The fifth has no key of ours, but a password. */
  async function writeManifest(odd: { passwordOfSixth: string; keyOfSeventh: string | undefined }): Promise<void> {
    const rows = ids.map((id, index) => {
      const more = [
        `tags: { row: "${index + 1}" }`,
        ...(index === 1 ? ['grains: { site: harbour }'] : []),
        ...(index === 4 ? [`passwordFile: ${at('password')}`] : [`identity: ${at(index === 5 ? 'stranger' : 'key')}`]),
        ...(index === 5 ? [`passwordFile: ${at(odd.passwordOfSixth)}`] : []),
        ...(index === 6 && odd.keyOfSeventh !== undefined ? [`hostKey: ${odd.keyOfSeventh}`] : []),
      ];
      return `  - host: ${machine(index + 1).address}\n    id: ${id}\n${more.map((line) => `    ${line}\n`).join('')}`;
    });
    await writeFile(at('fleet.yaml'), `defaults: { user: root }\ndevices:\n${rows.join('')}`);
  }

  const flags = (): string[] => [
    '--manifest',
    at('fleet.yaml'),
    '--coordinator',
    `${machine(1).hostAddress}:${fleet.port}`,
    '--known-hosts',
    at('known_hosts'),
    '--accept-new-host-keys',
    '--reconnect',
    '8s',
    '--json',
  ];
  async function provision(): Promise<{ exitCode: number; hosts: Record<string, Report> }> {
    const ran = await fleet.cli(['provision', 'ssh', ...flags(), '--report', at('day.csv')], { timeoutMs: 240_000 });
    const { hosts } = ran.json<{ hosts: Report[] }>();
    return { exitCode: ran.exitCode, hosts: Object.fromEntries(hosts.map((host) => [host.deviceId, host])) };
  }
  const show = async (id: string) => (await fleet.cli(['device', 'show', id, '--json'])).json();

  it('makes five of eight devices, names three failures, and leaves nothing of those', async () => {
    const running = provision();
    // Its programs are on their way: the cable is pulled.
    await eventually(
      'the eighth is half way',
      async () => {
        const folder = join(machine(8).written, 'var', 'lib', 'flotilla-provision');
        const [run] = await readdir(folder).catch(() => []);
        return run !== undefined && (await readdir(join(folder, run))).includes('node.gz');
      },
      { timeoutMs: 120_000, everyMs: 20 },
    );
    await machine(8).setNetwork(false);
    const { exitCode, hosts } = await running;
    expect(exitCode).toBe(4);
    expect(good.map((id) => [hosts[id]?.outcome, hosts[id]?.error])).toEqual(
      good.map(() => ['provisioned', undefined]),
    );
    expect(hosts['p-6']).toMatchObject({ outcome: 'failed', error: { code: 'ssh-auth-failed' } });
    expect(hosts['p-7']).toMatchObject({ outcome: 'failed', error: { code: 'ssh-host-key-changed' } });
    expect(hosts['p-8']).toMatchObject({ outcome: 'failed', error: { code: 'ssh-lost' } });
    expect((await readFile(at('day.csv'), 'utf8')).split('\n')[6]).toMatch(/,p-6,failed,0,.*ssh-auth-failed/);

    for (const [index, id] of good.entries()) {
      const device = await show(id);
      expect(device).toMatchObject({ connected: true, state: 'accepted', tags: { row: String(index + 1) } });
    }
    expect((await show('p-2')).grains).toMatchObject({ site: 'harbour' });
    const known = (await fleet.cli(['device', 'list', '--json'])).json<{ id: string }[]>().map(({ id }) => id);
    expect(known).toEqual(good);
    for (const number of [6, 7, 8]) {
      await eventually(`nothing is left on ${number}`, async () => (await traces(machine(number))).length === 0);
    }
  }, 300_000);

  it('completes the three when their faults are mended, and does not touch the five', async () => {
    await writeManifest({ passwordOfSixth: 'password', keyOfSeventh: undefined });
    await machine(8).setNetwork(true);
    const before = await Promise.all(good.map((_, index) => writtenBy(machine(index + 1))));
    const { exitCode, hosts } = await provision();
    expect([exitCode, Object.values(hosts).map(({ error }) => error)]).toEqual([0, ids.map(() => undefined)]);
    expect(ids.map((id) => hosts[id]?.outcome)).toEqual([
      ...good.map(() => 'unchanged'),
      ...ids.slice(5).map(() => 'provisioned'),
    ]);
    for (const [index, text] of before.entries()) expect(await writtenBy(machine(index + 1))).toBe(text);
    const verified = await fleet.cli(['provision', 'verify', ...flags()], { timeoutMs: 120_000 });
    expect([verified.exitCode, verified.json().hosts.flatMap((host: any) => host.differences)]).toEqual([0, []]);
  }, 300_000);

  it('is the device itself: stopped it is gone, started and after a reboot it is back with its identity', async () => {
    const { certificate } = await show('p-1');
    await machine(1).exec(['systemctl', 'stop', 'flotilla-agent']);
    await eventually('it is gone', async () => !(await show('p-1')).connected);
    const tail = await fleet.cli([
      'event',
      'tail',
      '--type',
      'coordinator.disconnected',
      '--device',
      'p-1',
      '--limit',
      '1',
      '--json',
    ]);
    expect(tail.rows().at(-1)?.payload.reason).toEqual(expect.any(String));
    await machine(1).exec(['systemctl', 'start', 'flotilla-agent']);
    await fleet.connected('p-1');
    await machine(1).reboot();
    await eventually(
      'it is back',
      async () => (await machine(1).exec(['systemctl', 'is-active', 'flotilla-agent'])).stdout.trim() === 'active',
    );
    await fleet.connected('p-1');
    expect((await show('p-1')).certificate.serial).toBe(certificate.serial);
  }, 180_000);

  it('finds what was changed by hand, and mends it', async () => {
    await machine(3).exec(['sh', '-c', 'echo "# mine" >> /etc/flotilla/agent.yaml; systemctl stop flotilla-agent']);
    const verified = await fleet.cli(['provision', 'verify', ...flags()], { timeoutMs: 120_000 });
    const third = verified.json().hosts.find((host: any) => host.deviceId === 'p-3');
    expect([verified.exitCode, third.outcome]).toEqual([4, 'different']);
    const names = third.differences.map(({ what }: any) => what);
    expect(names).toEqual(expect.arrayContaining(['/etc/flotilla/agent.yaml', 'service flotilla-agent', 'link']));
    const { hosts } = await provision();
    expect([hosts['p-3']?.outcome, hosts['p-4']?.outcome]).toEqual(['changed', 'unchanged']);
  }, 180_000);

  it('takes a device out again, from the fleet and from the host', async () => {
    const one = [`root@${machine(4).address}`, '--id', 'p-4', '-i', at('key'), '--known-hosts', at('known_hosts')];
    const unasked = await fleet.cli(['provision', 'remove', ...one, '--json']);
    expect([unasked.exitCode, unasked.json().error.code]).toEqual([6, 'confirmation-needed']);
    const removed = await fleet.cli(['provision', 'remove', ...one, '--yes', '--json']);
    expect([removed.exitCode, removed.json().hosts[0].outcome]).toEqual([0, 'removed']);
    expect(await traces(machine(4))).toEqual([]);
    expect((await fleet.cli(['device', 'show', 'p-4', '--json'])).exitCode).toBe(2);
    const again = await fleet.cli(['provision', 'remove', ...one, '--yes', '--json']);
    expect(again.json().hosts[0].outcome).toBe('not-there');
  }, 120_000);
});
