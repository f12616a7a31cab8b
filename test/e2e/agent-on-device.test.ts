/** The agent's own commands on the device: status and diagnose, broken in every way that they know; and other inits. */
import { gunzipSync } from 'node:zlib';
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { startContainer, whyNoContainer } from '../support/container.ts';
import { eventually } from '../support/eventually.ts';
import { createFleet } from '../support/fleet.ts';
import { putKit, type Kit } from '../support/installed-agent.ts';

interface Diagnosis {
  ok: boolean;
  findings: { name: string; verdict: string; detail: string; mend?: string }[];
}

const skip = (await whyNoContainer("the agent's commands on a device")) !== undefined;

async function diagnose(kit: Kit): Promise<Record<string, string>> {
  const { stdout } = await kit.sh('flotilla-agent diagnose --json');
  const { findings } = JSON.parse(stdout) as Diagnosis;
  for (const { verdict, mend } of findings) expect(['warn', 'bad'].includes(verdict)).toBe(mend !== undefined);
  return Object.fromEntries(findings.map(({ name, verdict }) => [name, verdict]));
}

describe.skipIf(skip)('on a device', () => {
  it('status and diagnose tell what is so, what is wrong, and how to mend it', async () => {
    await using fleet = await createFleet();
    await using machine = await startContainer();
    const kit = await putKit(machine, fleet, 'dev-1');
    expect((await kit.run('install', '--config', `${kit.dir}/agent.yaml`)).exitCode).toBe(0);
    await fleet.connected('dev-1');

    const { stdout, exitCode } = await kit.sh('flotilla-agent status --json');
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      config: '/etc/flotilla/agent.yaml',
      service: { init: 'systemd', state: 'running', enabled: true, restarts: 0, pid: expect.any(Number) },
      identity: { deviceId: 'dev-1', notAfterMs: expect.any(Number) },
      agent: { link: { state: 'live' }, deviceId: 'dev-1' },
    });
    const text = (await kit.sh('flotilla-agent status')).stdout;
    expect(text).toMatch(/^device: {6}dev-1 of /m);
    expect(text).toMatch(/^link: {8}live since /m);
    const memory = Number(/([\d.]+) MiB/.exec(text)?.[1]);
    process.stderr.write(`the installed agent takes ${memory} MiB\n`);
    expect(memory).toBeLessThan(100);

    const well = await diagnose(kit);
    expect(Object.values(well)).not.toContain('bad');
    expect(well).toMatchObject({
      configuration: 'ok',
      certificate: 'ok',
      port: 'ok',
      tls: 'ok',
      link: 'ok',
      service: 'ok',
    });

    // The cable: everything beyond it is not even tried.
    await machine.setNetwork(false);
    await kit.sh('ip addr flush dev host0');
    expect(await diagnose(kit)).toMatchObject({ network: 'bad', dns: 'ok', port: 'bad', tls: 'skipped' });
    await kit.sh(`ip addr add ${machine.address}/30 dev host0; ip route add default via ${machine.hostAddress}`);
    await machine.setNetwork(true);

    // Another authority, an exposed key, a service that is down, a configuration with a mistake.
    const identity = '/var/lib/flotilla/identity';
    await kit.sh(
      `cp -p ${identity}/authority.crt /root/kept.crt; openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -subj /CN=other -days 2 -out ${identity}/authority.crt 2>/dev/null; chmod 644 ${identity}/device.key; systemctl stop flotilla-agent`,
    );
    expect(await diagnose(kit)).toMatchObject({ certificate: 'bad', permissions: 'bad', service: 'bad', link: 'bad' });
    expect((await kit.sh('flotilla-agent status')).exitCode).toBe(7);
    await kit.sh(
      `cp -p /root/kept.crt ${identity}/authority.crt; chmod 600 ${identity}/device.key; systemctl start flotilla-agent`,
    );
    await eventually('all is well again', async () => ((await diagnose(kit))['link'] === 'ok' ? true : undefined));
    await kit.sh("sed -i 's/^coordinator:/coordinatr:/' /etc/flotilla/agent.yaml");
    const broken = await kit.sh('flotilla-agent diagnose');
    expect(broken.exitCode).toBe(4);
    expect(broken.stdout).toMatch(/^bad +configuration /m);
    await kit.sh("sed -i 's/^coordinatr:/coordinator:/' /etc/flotilla/agent.yaml");

    // For support: everything but the secrets.
    await kit.sh("printf '# password: hunter2\\n' >>/etc/flotilla/agent.yaml");
    expect((await kit.sh('flotilla-agent diagnose --bundle /root/support.json.gz')).exitCode).toBe(0);
    const bundle = gunzipSync(await readFile(`${machine.root}/root/support.json.gz`)).toString();
    const key = (await kit.sh(`sed -n 2p ${identity}/device.key`)).stdout.trim();
    expect(bundle).toContain('agent started');
    expect(bundle).toContain('ExecStart=');
    for (const secret of [key, 'PRIVATE KEY', 'hunter2']) expect(bundle).not.toContain(secret);
    expect((await kit.sh('flotilla-agent diagnose --bundle /root/support.json.gz')).exitCode).toBe(2);
  });

  it('with updates it is root for one disk and a restart alone, and programs reach its door by their group', async () => {
    await using fleet = await createFleet();
    await using machine = await startContainer();
    const kit = await putKit(machine, fleet, 'dev-3');
    await kit.sh(`truncate -s 8M /srv/disk.img; cat >>${kit.dir}/agent.yaml <<'YAML'
update:
  product: harbour-meter
  platform: hm-gateway-1
  keys: [firmware.pub]
  destination: /srv/disk.img
  slot: { blockOffset: 1024, blockCount: 16 }
YAML
    head -c 32 /dev/urandom >${kit.dir}/firmware.pub`);
    const installed = await kit.run('install', '--config', `${kit.dir}/agent.yaml`);
    expect(installed.exitCode, installed.stdout + installed.stderr).toBe(0);
    await fleet.connected('dev-3');
    const pid = (await kit.sh('systemctl show -P MainPID flotilla-agent')).stdout.trim();
    const status = (await kit.sh(`cat /proc/${pid}/status`)).stdout;
    expect(status).toMatch(/^Uid:\t0\t/m);
    expect(status).toMatch(/^CapBnd:\t0000000000400000$/m); // CAP_SYS_BOOT
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    await kit.sh('useradd --groups flotilla-agent meter; useradd stranger');
    const dial = async (user: string): Promise<number> => {
      const script = `require('net').connect('/run/flotilla/door.sock').on('connect',()=>process.exit(0)).on('error',()=>process.exit(9))`;
      return (await machine.exec(['su', '-s', '/usr/lib/flotilla/node', user, '--', '-e', script])).exitCode;
    };
    expect([await dial('meter'), await dial('stranger')]).toEqual([0, 9]);

    // What an update asks for at its end: a restart of the machine, from within the box.
    const rebooted = machine.rebooted();
    await fleet.cli(['run', 'dev-3', '--timeout', '20s', '--json', '--', 'reboot']);
    await rebooted;
    await fleet.connected('dev-3');
    expect(
      (await kit.sh('stat -c %U:%G:%a /run/flotilla /run/flotilla/door.sock')).stdout.split('\n').slice(0, 2),
    ).toEqual(['root:flotilla-agent:750', 'root:flotilla-agent:660']);
  });

  it('an init without a journal: started by its script, kept up, logs into a bounded file, stopped with its jobs', async () => {
    await using fleet = await createFleet();
    await using machine = await startContainer();
    const kit = await putKit(machine, fleet, 'dev-2');
    const installed = await kit.run('install', '--config', `${kit.dir}/agent.yaml`, '--init', 'sysv', '--json');
    expect(installed.exitCode, installed.stdout + installed.stderr).toBe(0);
    await fleet.connected('dev-2');
    const script = '/etc/init.d/flotilla-agent';
    expect((await kit.sh(`${script} status`)).exitCode).toBe(0);
    expect((await kit.sh('ls /etc/rc2.d')).stdout).toContain('S90flotilla-agent');
    expect((await kit.sh('stat -c %U:%a /run/flotilla/door.sock')).stdout.trim()).toBe('flotilla-agent:660');
    const pidOf = async () =>
      (await kit.sh("pgrep -u flotilla-agent -f 'flotilla-agent.js run'|tail -1")).stdout.trim();

    // It ends, and is started again.
    const first = await pidOf();
    await kit.sh(`kill -9 ${first}`);
    await eventually('another one runs', async () => ![first, ''].includes(await pidOf()));
    await fleet.connected('dev-2');
    await eventually(
      'both starts are in the log',
      async () => (await kit.sh('grep -c "agent started" /var/log/flotilla/agent.log')).stdout.trim() === '2',
    );

    const again = await kit.run('install', '--config', `${kit.dir}/agent.yaml`, '--init', 'sysv', '--json');
    expect(JSON.parse(again.stdout)).toMatchObject({ changes: 0 });
    expect((await kit.sh(`${script} stop`)).exitCode).toBe(0);
    expect((await kit.sh('pgrep -u flotilla-agent')).stdout).toBe('');
    expect((await kit.sh(`${script} status`)).exitCode).toBe(3);
    expect((await kit.run('uninstall', '--init', 'sysv', '--purge', '--yes')).exitCode).toBe(0);
    expect((await kit.sh('ls /etc/init.d /etc/rc2.d /usr/lib /var/log | grep flotilla')).stdout).toBe('');
  });
});
