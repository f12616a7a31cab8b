/** An installation that fails leaves the machine as it was, with the agent that ran before if there was one. */
import { describe, expect, it } from 'vitest';
import { startContainer, whyNoContainer } from '../support/container.ts';
import { createFleet } from '../support/fleet.ts';
import { contents, putKit, traces } from '../support/installed-agent.ts';

const skip = (await whyNoContainer('the agent as a service')) !== undefined;

describe.skipIf(skip)('the agent as a service', () => {
  it('undoes everything when the service does not stay up, and leaves another installation as it was', async () => {
    await using fleet = await createFleet();
    await using machine = await startContainer();
    const kit = await putKit(machine, fleet, 'srv-3');
    const before = await traces(machine);

    // A folder that can't be made.
    await kit.sh(`sed -i 's#^state: .*#state: /proc/nowhere#' ${kit.dir}/agent.yaml`);
    const failed = await kit.run('install', '--config', `${kit.dir}/agent.yaml`, '--json');
    expect(failed.exitCode).not.toBe(0);
    expect(JSON.parse(failed.stdout).error.message).toContain('everything is as it was before');
    expect(await traces(machine)).toBe(before);

    await kit.sh(`sed -i 's#^state: .*#state: state#' ${kit.dir}/agent.yaml`);
    await kit.install();
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
