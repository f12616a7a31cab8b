/** The agent as a service of a machine that boots systemd: installed, rebooted, broken, taken away. */
import { describe, expect, it } from 'vitest';
import { startContainer, whyNoContainer } from '../support/container.ts';
import { eventually } from '../support/eventually.ts';
import { createFleet } from '../support/fleet.ts';
import { putKit, type Kit } from '../support/installed-agent.ts';

interface Report {
  changes: number;
  steps: { what: string; change: string; detail?: string }[];
}

const skip = (await whyNoContainer('the agent as a service')) !== undefined;

/** Everything that an installation may have left, by name. */
const traces = `find / -xdev \\( -name '*flotilla*' -o -name '*rc*.d' -prune -false \\) -not -path '/proc/*' -not -path '/root/*' -not -path '/tmp/*' -not -path '/var/tmp/*' -not -path '/var/log/journal/*'; id -u flotilla-agent 2>/dev/null; true`;
/** Names, owners, modes, times and contents of all that an installation owns but the database, which the agent writes. */
const fingerprint = `find /etc /usr/lib/flotilla /usr/local /var/lib/flotilla -xdev -not -path '/var/lib/flotilla/state*' -printf '%p %U:%G %m %T@ %s\\n' | sort | sha256sum`;
/** The same without times: what was undone has its content back, and its folders a newer time. */
const contents = `find /etc /usr/lib/flotilla /usr/local /var/lib/flotilla -xdev -type f -not -path '/var/lib/flotilla/state*' -exec sha256sum {} + | sort`;

const json = (ran: { stdout: string }): Report => JSON.parse(ran.stdout) as Report;

async function install(kit: Kit, ...args: string[]): Promise<Report> {
  const ran = await kit.run('install', '--config', `${kit.dir}/agent.yaml`, '--json', ...args);
  expect(ran.exitCode, ran.stdout + ran.stderr).toBe(0);
  return json(ran);
}

describe.skipIf(skip)('the agent as a service', () => {
  it('is installed once, survives a reboot with its identity, and is taken away without a trace', async () => {
    await using fleet = await createFleet();
    await using machine = await startContainer();
    const kit = await putKit(machine, fleet, 'srv-1');
    const before = (await kit.sh(traces)).stdout;

    const planned = await install(kit, '--dry-run');
    expect(planned.changes).toBeGreaterThan(10);
    expect((await kit.sh(traces)).stdout).toBe(before);

    const first = await install(kit);
    expect(first.steps.map(({ what }) => what)).toEqual(planned.steps.map(({ what }) => what));
    await fleet.connected('srv-1');

    // It runs as nobody in particular, writes where it may, and reads what it must.
    expect((await kit.sh('ps -o user= -p $(systemctl show -P MainPID flotilla-agent)')).stdout.trim()).toMatch(
      /^flotilla/,
    );
    const job = await fleet.cli(['run', 'srv-1', '--json', '--', 'touch', '/etc/not-here']);
    expect(job.exitCode).toBe(4);
    expect(job.stdout).toContain('Read-only file system');

    // A second time nothing changes, and it says so.
    const print = (await kit.sh(fingerprint)).stdout;
    const pid = (await kit.sh('systemctl show -P MainPID flotilla-agent')).stdout;
    expect((await install(kit)).changes).toBe(0);
    expect((await kit.sh('flotilla-agent install')).stdout).toContain('Nothing to change');
    expect((await kit.sh(fingerprint)).stdout).toBe(print);
    expect((await kit.sh('systemctl show -P MainPID flotilla-agent')).stdout).toBe(pid);

    await machine.reboot();
    await fleet.connected('srv-1');
    const boots = await kit.sh('journalctl -u flotilla-agent -o cat --no-pager | grep -c "agent started"');
    expect(Number(boots.stdout)).toBe(2);
    const warnings = await kit.sh('journalctl -u flotilla-agent -p warning -o cat --no-pager');
    expect(warnings.stdout).toBe('');

    const security = (await kit.sh('systemd-analyze security --no-pager flotilla-agent | tail -1')).stdout;
    process.stderr.write(`${security.trim()}\n`);
    expect(Number(/: ([\d.]+)/.exec(security)?.[1])).toBeLessThan(2);

    expect((await kit.run('uninstall')).exitCode).toBe(0);
    await eventually('the coordinator sees it gone', async () => {
      const shown = await fleet.cli(['device', 'show', 'srv-1', '--json']);
      return shown.json<{ connected: boolean }>().connected ? undefined : true;
    });
    expect((await kit.sh('ls /var/lib/flotilla/identity')).stdout).toContain('device.key');
    expect((await kit.run('uninstall', '--purge')).exitCode).toBe(6);
    expect((await kit.run('uninstall', '--purge', '--yes')).exitCode).toBe(0);
    expect((await kit.sh(traces)).stdout).toBe(before);
    expect(json(await kit.run('uninstall', '--purge', '--yes', '--json')).changes).toBe(0);
  });

  it('starts without coordinator, network and name service, and connects when they come', async () => {
    await using fleet = await createFleet();
    await using machine = await startContainer();
    await fleet.stopCoordinator();
    const kit = await putKit(machine, fleet, 'srv-2', { certified: false });
    await machine.setNetwork(false);

    // Without a certificate it is installed and waits.
    const waiting = await install(kit);
    expect(waiting.steps.at(-1)).toMatchObject({ change: 'skipped', detail: expect.stringContaining('certificate') });
    expect((await kit.sh('systemctl is-active flotilla-agent')).stdout.trim()).toBe('inactive');

    await fleet.startCoordinator();
    const csr = `${machine.root}${kit.dir}/device.csr`;
    const out = [
      '--out',
      `${machine.root}${kit.dir}/device.crt`,
      '--authority-out',
      `${machine.root}${kit.dir}/authority.crt`,
    ];
    expect((await fleet.cli(['cert', 'sign', csr, ...out])).exitCode).toBe(0);
    await fleet.stopCoordinator();
    const started = await install(kit);
    expect(started.steps.at(-1)).toMatchObject({ change: 'start' });
    await machine.reboot();
    expect((await kit.sh('systemctl is-active flotilla-agent')).stdout.trim()).toBe('active');
    expect((await kit.sh('systemctl show -P NRestarts flotilla-agent')).stdout.trim()).toBe('0');

    await fleet.startCoordinator();
    await machine.setNetwork(true);
    await fleet.connected('srv-2');
  });

  it('undoes everything when the service does not stay up, and leaves another installation as it was', async () => {
    await using fleet = await createFleet();
    await using machine = await startContainer();
    const kit = await putKit(machine, fleet, 'srv-3');
    const before = (await kit.sh(traces)).stdout;

    // A folder that can't be made.
    await kit.sh(`sed -i 's#^state: .*#state: /proc/nowhere#' ${kit.dir}/agent.yaml`);
    const failed = await kit.run('install', '--config', `${kit.dir}/agent.yaml`, '--json');
    expect(failed.exitCode).not.toBe(0);
    expect(JSON.parse(failed.stdout).error.message).toContain('everything is as it was before');
    expect((await kit.sh(traces)).stdout).toBe(before);

    await kit.sh(`sed -i 's#^state: .*#state: state#' ${kit.dir}/agent.yaml`);
    await install(kit);
    await fleet.connected('srv-3');
    const print = (await kit.sh(contents)).stdout;

    // A newer agent that can't run comes, and goes again.
    await kit.sh(
      `sed -i "s#^'use strict';#'use strict'; if (process.argv[2] === 'run') process.exit(7);#" ${kit.dir}/flotilla-agent.js`,
    );
    const upgrade = await kit.run('install', '--config', `${kit.dir}/agent.yaml`, '--json');
    expect(JSON.parse(upgrade.stdout).error.code).toBe('install-service-ended');
    expect((await kit.sh(contents)).stdout).toBe(print);
    expect((await kit.sh('systemctl is-active flotilla-agent')).stdout.trim()).toBe('active');
    await fleet.connected('srv-3');

    // Another device's identity is not slipped under this one.
    const other = await putKit(machine, fleet, 'srv-4');
    const refused = await other.run('install', '--config', `${other.dir}/agent.yaml`, '--json');
    expect(refused.exitCode).toBe(6);
    expect(JSON.parse(refused.stdout).error).toMatchObject({ code: 'install-other-device' });
  });
});
