/** Bare machines to devices over ssh: hosts with systemd and Debian's sshd, in containers. */
import { mkdir, readFile, writeFile, appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startContainer, whyNoContainer, type Container } from '../support/container.ts';
import { eventually } from '../support/eventually.ts';
import { createFleet, type TestFleet } from '../support/fleet.ts';
import { hasTools } from '../support/system-tool.ts';

const purpose = 'provisioning over ssh';
const skip = (await whyNoContainer(purpose)) !== undefined || !hasTools(purpose, 'sshd', 'ssh-keygen');

/** What the machine has written besides its logs, its own caches, and the agent's database; seen from outside. */
async function writtenBy(machine: Container): Promise<string> {
  const left = [
    './var/log*',
    './var/lib/flotilla/state/*',
    './var/lib/systemd*',
    './var/cache*',
    './run*',
    './tmp*',
    './root*',
    './etc/machine-id',
  ];
  const { stdout } = await execa(
    'find',
    [
      '.',
      '-mindepth',
      '1',
      ...left.flatMap((path) => ['-not', '-path', path]),
      '-printf',
      '%p %y %U:%G %m %s ',
      '-type',
      'f',
      '-exec',
      'sha256sum',
      '{}',
      ';',
      '-o',
      '-printf',
      '%p %y %U:%G %m\\n',
    ],
    { cwd: machine.written },
  );
  return stdout.split('\n').toSorted().join('\n');
}

describe.skipIf(skip)('provision ssh', () => {
  let fleet: TestFleet;
  const machines: Container[] = [];
  const at = (...path: string[]) => join(fleet.scratch, ...path);

  async function addMachine(): Promise<Container> {
    const publicKey = await readFile(at('key.pub'), 'utf8');
    const machine = await startContainer({
      services: ['ssh.service'],
      async prepare(root) {
        await mkdir(join(root, 'root', '.ssh'), { recursive: true, mode: 0o700 });
        await writeFile(join(root, 'root', '.ssh', 'authorized_keys'), publicKey, { mode: 0o600 });
      },
    });
    machines.push(machine);
    return machine;
  }
  beforeAll(async () => {
    fleet = await createFleet();
    await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at('key')]);
  });
  afterAll(async () => {
    for (const machine of machines) await machine[Symbol.asyncDispose]();
    await fleet?.[Symbol.asyncDispose]();
  });

  it('one', async () => {
    const machine = await addMachine();
    const before = await writtenBy(machine);
    const args = [
      'provision',
      'ssh',
      `root@${machine.address}`,
      '--id',
      'p-1',
      '-i',
      at('key'),
      '--coordinator',
      `${machine.hostAddress}:${fleet.port}`,
      '--accept-new-host-keys',
      '--known-hosts',
      at('known_hosts'),
      '--reconnect',
      '10s',
    ];
    const ran = await fleet.cli(args, { timeoutMs: 120_000 });
    console.log(ran.stdout, ran.stderr, ran.exitCode);
    const between = await writtenBy(machine);
    const again = await fleet.cli(args, { timeoutMs: 120_000 });
    console.log(again.stdout, again.stderr, again.exitCode);
    expect(await writtenBy(machine)).toBe(between);
    const verify = await fleet.cli(
      args.map((word) => (word === 'ssh' ? 'verify' : word)),
      { timeoutMs: 120_000 },
    );
    console.log(verify.stdout, verify.stderr, verify.exitCode);
    const removed = await fleet.cli([
      'provision',
      'remove',
      `root@${machine.address}`,
      '--id',
      'p-1',
      '-i',
      at('key'),
      '--known-hosts',
      at('known_hosts'),
      '--yes',
    ]);
    console.log(removed.stdout, removed.stderr, removed.exitCode);
    console.log((await fleet.cli(['device', 'list'])).stdout);
    expect(await writtenBy(machine)).toBe(before);
  }, 300_000);
});
