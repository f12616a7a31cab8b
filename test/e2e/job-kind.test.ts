/** What a job can do on a device, from the command line to the device's disk and back. */
import { createHash } from 'node:crypto';
import { chmod, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDoor } from '../../src/door/index.ts';
import { start } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { createFleet, type TestAgent, type TestFleet } from '../support/fleet.ts';

let fleet: TestFleet;
const agents = new Map<string, TestAgent>();
const bootId = (id: string) => join(fleet.scratch, `${id}.boot-id`);

beforeAll(async () => {
  fleet = await createFleet();
  for (const id of ['d-1', 'd-2']) {
    await writeFile(bootId(id), 'before\n');
    const configure = (yaml: string) =>
      yaml.replace('/proc/sys/kernel/random/boot_id', bootId(id)).replace('  shell: false', '  shell: true');
    const grains = { site: id === 'd-1' ? `x'; touch /tmp/never; '$(id)` : 'harbour', net: { ip: '192.0.2.7' } };
    agents.set(id, await fleet.addAgent(id, { grains, configure }));
  }
  await Promise.all([...agents.keys()].map((id) => fleet.connected(id)));
});
afterAll(() => fleet?.[Symbol.asyncDispose]());

/** Of one device: how a command ended there. */
async function result(args: string[], device = 'd-1') {
  const ran = await fleet.cli([...args.slice(0, 1), ...args.slice(1, 2), '--json', ...args.slice(2)]);
  const rows = ran.rows().filter((row) => row.kind === 'result' && row.result.deviceId === device);
  return { ...rows.at(-1)?.result, exit: ran.exitCode, stderr: ran.stderr, all: ran.rows() };
}

describe('kinds of jobs', () => {
  it('pings the agent, and has it collect its grains', async () => {
    const ping = await fleet.cli(['ping', '*', '--json']);
    expect(ping.exitCode).toBe(0);
    expect(ping.rows().at(-1)).toMatchObject({ job: { action: { kind: 'ping' }, counts: { succeeded: 2 } } });
    expect((await fleet.cli(['device', 'refresh', 'd-1'])).exitCode).toBe(0);
  });

  it('sends a script once and runs it by its first line, with arguments of the device', async () => {
    const script = join(fleet.scratch, 'check.sh');
    await writeFile(script, '#!/bin/sh -e\nfor each; do printf "<%s>" "$each"; done\nexit 3\n');
    const end = await result(['run', 'd-*', '--script', script, '--', '{{id}}', 'a b', '{{net.ip}}']);
    expect(end).toMatchObject({ outcome: 'failed', exitCode: 3, stdout: '<d-1><a b><192.0.2.7>', exit: 4 });
    const sha256 = createHash('sha256')
      .update(await readFile(script))
      .digest('hex');
    const cached = await stat(join(fleet.scratch, 'd-1', 'state', 'content', sha256));
    await result(['run', 'd-*', '--script', script]);
    expect((await stat(join(fleet.scratch, 'd-1', 'state', 'content', sha256))).ino).toBe(cached.ino);
  });

  it('fills in values that no shell can be led astray by, and rejects a device without one', async () => {
    const plain = await fleet.cli(['run', 'd-1', '--json', '--', 'printf', '%s', '{{site}}']);
    expect(plain.rows().at(-2).result.stdout).toBe(`x'; touch /tmp/never; '$(id)`);
    const shell = await fleet.cli(['run', 'd-1', '--json', '--shell', '--', `printf '%s|' {{site}} "<{{site}}>"`]);
    expect(shell.rows().at(-2).result.stdout).toBe(`x'; touch /tmp/never; '$(id)|<x'; touch /tmp/never; '$(id)>|`);
    const none = await fleet.cli(['run', 'd-1', '--json', '--', 'echo', '{{tag:ring}}', '{{{{x}}']);
    expect(none.exitCode).toBe(4);
    expect(none.rows().at(-2).result).toMatchObject({ outcome: 'rejected', reason: 'it has no tag:ring' });
  });

  it('puts a file in one step, and gets one back, whatever stands in its way', async () => {
    const local = join(fleet.scratch, 'app.conf');
    const remote = join(fleet.scratch, '{{id}}', 'put.conf');
    const at = join(fleet.scratch, 'd-1', 'put.conf');
    await writeFile(local, 'first\n');
    await writeFile(at, 'older\n');
    await chmod(at, 0o600);
    expect((await fleet.cli(['file', 'put', 'd-*', local, remote])).exitCode).toBe(0);
    expect(await readFile(at, 'utf8')).toBe('first\n');
    expect((await stat(at)).mode & 0o777).toBe(0o600);
    const big = Buffer.alloc(300_000, 'abc');
    await writeFile(local, big);
    expect((await fleet.cli(['file', 'put', 'd-*', local, remote, '--mode', '640'])).exitCode).toBe(0);
    expect((await stat(at)).mode & 0o777).toBe(0o640);

    const got = await fleet.cli(['file', 'get', 'd-*', remote, '--output', 'got']);
    expect(got.exitCode).toBe(0);
    for (const id of ['d-1', 'd-2']) {
      expect((await readFile(join(fleet.scratch, 'got', id, 'put.conf'))).equals(big)).toBe(true);
    }
    const small = await result(['file', 'get', 'd-1', remote, '--output', 'got', '--max-size', '10', '--json']);
    expect(small).toMatchObject({ outcome: 'failed', reason: expect.stringContaining('more than the 10 bytes') });
    await symlink('/etc/hostname', join(fleet.scratch, 'd-1', 'link'));
    const link = await result(['file', 'get', 'd-1', join(fleet.scratch, 'd-1', 'link'), '--output', 'got', '--json']);
    expect(link).toMatchObject({ outcome: 'failed', reason: expect.stringContaining('ELOOP') });
  });

  it('shows what devices write while they do, and a dead one holds up nobody', async () => {
    const go = join(fleet.scratch, 'go');
    const script = `n=0; while [ ! -e ${go} ]; do echo "line $n"; echo oops >&2; n=$((n+1)); sleep 0.2; done; printf end`;
    agents.get('d-2')!.signal('SIGSTOP');
    const words = ['run', 'd-*', '--timeout', '15s', '--follow', '--', 'sh', '-c', script];
    const child = start(words, { env: { FLOTILLA_FLEET_DIR: fleet.dir } });
    let seen = '';
    child.stdout.on('data', (chunk) => (seen += String(chunk)));
    // It waits for a file that is made only when its lines are here.
    await eventually('lines are shown', () => /d-1 \| line 3\n/.test(seen) && seen.includes('d-1 ! oops\n'));
    expect(seen).not.toContain('succeeded');
    const [id] = (await fleet.cli(['job', 'list', '--limit', '1', '--json'])).json();
    const late = start(['job', 'wait', id.id, '--follow', '--json'], { env: { FLOTILLA_FLEET_DIR: fleet.dir } });
    let rows = '';
    late.stdout.on('data', (chunk) => (rows += String(chunk)));
    await eventually('who comes later sees them too', () => rows.includes('"kind":"output"'));
    agents.get('d-2')!.signal('SIGCONT');
    await eventually('the other one is shown, too', () => seen.includes('d-2 | line 0\n'));
    await writeFile(go, '');
    expect((await child).exitCode).toBe(0);
    const shown = seen.split('\n').filter((line) => line.startsWith('d-1 | '));
    expect(shown.slice(0, 3)).toEqual(['d-1 | line 0', 'd-1 | line 1', 'd-1 | line 2']);
    expect(new Set(shown).size).toBe(shown.length);
    expect(shown.at(-1)).toBe('d-1 | end');
    expect(seen).toMatch(/d-1: succeeded \([\d.]+s\)\n/);
    await late;
    const outputs = rows.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));
    expect(
      outputs
        .filter(({ kind }) => kind === 'output')
        .map(({ output }) => output.text)
        .join(''),
    ).toContain('line');
    expect((await fleet.cli(['event', 'tail', '--type', 'flotilla.job-output', '--no-follow'])).stdout).toBe('');
  });

  it('restarts the machine with proof, unless the product holds it', async () => {
    const door = await openDoor({ socket: join(fleet.scratch, 'd-1', 'door.sock') });
    await door.holdReboot('pump 2 is running');
    const held = await fleet.cli(['reboot', 'd-1', '--json']);
    expect(held.rows().at(-2).result).toMatchObject({
      outcome: 'rejected',
      reason: 'the product holds the reboot: pump 2 is running',
    });
    await door[Symbol.asyncDispose]();
  });

  it('brings settings to the product, which decides', async () => {
    const file = join(fleet.scratch, 'limits.yaml');
    await writeFile(file, 'max: 12\n');
    const door = await openDoor({ socket: join(fleet.scratch, 'd-1', 'door.sock') });
    const product = (async () => {
      for await (const { name, desired } of door.watchDocuments()) {
        const { version, document } = desired;
        if ((document as { max: number }).max <= 12) await door.applied(name, version);
        else await door.rejected(name, version, 'the valve bears 12');
      }
    })();
    const push = ['device', 'config', 'push', 'd-1', 'limits', file, '--json'];
    const taken = await fleet.cli(push);
    expect([taken.exitCode, taken.rows().at(-2).result.outcome]).toEqual([0, 'succeeded']);
    await writeFile(file, 'max: 13\n');
    const refused = await fleet.cli(push);
    expect(refused.exitCode).toBe(4);
    expect(refused.rows().at(-2).result).toMatchObject({ outcome: 'rejected', reason: 'the valve bears 12' });
    await door.close();
    await product.catch(() => undefined);
  });

  it('takes an action back by itself, also when the coordinator and the agent are gone meanwhile', async () => {
    const file = join(fleet.scratch, 'relay');
    const run = ['run', 'd-2', '--for', '6s', '--then', `tee -a ${file}.on`, '--detach', '--', 'touch', `${file}.off`];
    const { stdout } = await fleet.cli(run);
    // Killed before it has noted the end of its command, an agent says "unknown", rightly.
    await eventually('the relay is off', async () => {
      const job = (await fleet.cli(['job', 'show', stdout.trim(), '--json'])).json();
      return job.results[0].state === 'holding';
    });
    await stat(`${file}.off`);
    await fleet.killCoordinator();
    await agents.get('d-2')!.kill();
    await agents.get('d-2')!.restart();
    await eventually('the relay is on again', () => stat(`${file}.on`).catch(() => undefined));
    await fleet.startCoordinator();
    const waited = await fleet.cli(['job', 'wait', stdout.trim()]);
    expect(waited.exitCode).toBe(0);
    expect(waited.stdout).toContain('then: succeeded');
  });
});
