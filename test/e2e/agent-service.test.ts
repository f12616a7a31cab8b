/** The agent as a service of a machine that boots systemd: installed, rebooted, broken, taken away. */
import { writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { startContainer, whyNoContainer } from '../support/container.ts';
import { eventually } from '../support/eventually.ts';
import { createFleet } from '../support/fleet.ts';
import { fingerprint, putKit, traces } from '../support/installed-agent.ts';

const skip = (await whyNoContainer('the agent as a service')) !== undefined;

describe.skipIf(skip)('the agent as a service', () => {
  it('is installed once, survives a reboot with its identity, and is taken away without a trace', async () => {
    await using fleet = await createFleet();
    await using machine = await startContainer();
    const kit = await putKit(machine, fleet, 'srv-1');
    const before = await traces(machine);

    const planned = await kit.install('--dry-run');
    expect(planned.changes).toBeGreaterThan(10);
    expect(await traces(machine)).toBe(before);

    const first = await kit.install();
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
    expect((await kit.install()).changes).toBe(0);
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
    expect(await traces(machine)).toBe(before);
    expect(JSON.parse((await kit.run('uninstall', '--purge', '--yes', '--json')).stdout).changes).toBe(0);
  });

  it('starts without coordinator, network and name service, and connects when they come', async () => {
    await using fleet = await createFleet();
    await using machine = await startContainer();
    await fleet.stopCoordinator();
    const kit = await putKit(machine, fleet, 'srv-2', { certified: false });
    await machine.setNetwork(false);

    // Without a certificate it is installed and waits.
    const waiting = await kit.install();
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
    const started = await kit.install();
    expect(started.steps.at(-1)).toMatchObject({ change: 'start' });
    await machine.reboot();
    expect((await kit.sh('systemctl is-active flotilla-agent')).stdout.trim()).toBe('active');
    expect((await kit.sh('systemctl show -P NRestarts flotilla-agent')).stdout.trim()).toBe('0');

    await fleet.startCoordinator();
    await machine.setNetwork(true);
    await fleet.connected('srv-2');
  });

  it('restarts services for jobs, and says what its init would not do', async () => {
    await using fleet = await createFleet();
    await using machine = await startContainer();
    const unit = (name: string, text: string) => writeFile(`${machine.root}/etc/systemd/system/${name}`, text);
    await unit('modem.service', '[Service]\nExecStart=/bin/sleep infinity\n');
    await unit('broken.service', '[Service]\nType=oneshot\nExecStart=/bin/false\n');
    const kit = await putKit(machine, fleet, 'srv-3');
    // As root: another user may restart nothing.
    await kit.sh(`sed -i 's/^  user: auto/  user: root/' ${kit.dir}/agent.yaml`);
    await kit.install();
    await fleet.connected('srv-3');
    const result = async (...words: string[]) => {
      const ran = await fleet.cli([...words, '--json']);
      return { exit: ran.exitCode, ...ran.rows().findLast((row) => row.kind === 'result')?.result };
    };
    await kit.sh('systemctl start modem');
    const pid = async () => (await kit.sh('systemctl show -P MainPID modem')).stdout.trim();
    const before = await pid();
    expect(await result('service', 'restart', 'srv-3', 'modem')).toMatchObject({ exit: 0, outcome: 'succeeded' });
    expect(await pid()).not.toBe(before);
    expect(await result('service', 'restart', 'srv-3', 'broken')).toMatchObject({
      exit: 4,
      outcome: 'failed',
      exitCode: 1,
      stderr: expect.stringContaining('broken.service'),
    });
    expect(await result('service', 'restart', 'srv-3', 'nothing-here')).toMatchObject({ exit: 4, outcome: 'failed' });
    expect(await result('service', 'restart', 'srv-3', 'flotilla-agent')).toMatchObject({ outcome: 'rejected' });
  });

  it('restarts the machine for a job, which succeeds once the machine has come back', async () => {
    await using fleet = await createFleet();
    await using machine = await startContainer();
    // A container has its host's boot id: this one gets its own, at every boot, as a machine has.
    const unit = `${machine.root}/etc/systemd/system/boot-id.service`;
    const start = "/bin/sh -c 'cat /proc/sys/kernel/random/uuid >/run/boot-id'";
    await writeFile(
      unit,
      `[Unit]\nBefore=flotilla-agent.service\n[Service]\nType=oneshot\nExecStart=${start}\n[Install]\nWantedBy=multi-user.target\n`,
    );
    const kit = await putKit(machine, fleet, 'srv-4');
    await kit.sh('systemctl enable --now boot-id');
    // As root: another user may restart nothing.
    await kit.sh(
      `sed -i 's/^  user: auto/  user: root/; s#/proc/sys/kernel/random/boot_id#/run/boot-id#' ${kit.dir}/agent.yaml`,
    );
    await kit.install();
    await fleet.connected('srv-4');
    const before = (await kit.sh('cat /run/boot-id')).stdout;
    const pid = machine.leaderPid;

    const [ran] = await Promise.all([fleet.cli(['reboot', 'srv-4', '--json']), machine.rebooted()]);
    expect(ran.exitCode, ran.stdout + ran.stderr).toBe(0);
    expect(ran.rows().findLast((row) => row.kind === 'result').result).toMatchObject({ outcome: 'succeeded' });
    expect(machine.leaderPid).not.toBe(pid);
    expect((await kit.sh('cat /run/boot-id')).stdout).not.toBe(before);
    const boots = await kit.sh('journalctl -u flotilla-agent -o cat --no-pager | grep -c "agent started"');
    expect(Number(boots.stdout)).toBe(2);
  });
});
