/** What each init gets, for a configuration. */
import { describe, expect, it } from 'vitest';
import { parseAgentConfig } from '../../../src/config/load-agent-config.ts';
import { initSystems } from '../../../src/device/init/init-system.ts';
import { renderService, serviceUser, writableFolders } from '../../../src/device/init/service-file.ts';

const plain = 'coordinator: { host: h }\nstate: /var/lib/flotilla/state\nidentity: { key: /var/lib/flotilla/identity/k, certificate: /var/lib/flotilla/identity/c, authority: /var/lib/flotilla/identity/a }\nevents: { socket: /run/flotilla/door.sock }\n'; // prettier-ignore
const updating = `${plain}update:
  product: p
  platform: q
  keys: [/etc/a.pub]
  destination: /dev/mmcblk0
  slot: { blockOffset: 1, blockCount: 1 }
  watchdog: { file: /dev/watchdog0 }
`;

function render(template: string, text: string, systemdVersion?: number): Promise<string> {
  const configPath = '/etc/flotilla/agent.yaml';
  const config = parseAgentConfig(text, configPath);
  const agentFile = '/usr/lib/flotilla/flotilla-agent.js';
  return renderService(template, { config, configPath, node: '/usr/lib/flotilla/node', agentFile, systemdVersion });
}

describe('the unit', () => {
  it('is for a user of its own, sees no device, and writes only below its own folder', async () => {
    const unit = await render('agent.service', plain, 252);
    for (const wanted of [
      'User=flotilla-agent',
      'CapabilityBoundingSet=\n',
      'PrivateDevices=yes',
      'ReadWritePaths=/var/lib/flotilla\n',
      'RestartSec=10\n',
      'ConditionPathExists=/var/lib/flotilla/identity/c',
      'SystemCallFilter=~@privileged @resources',
    ]) {
      expect(unit).toContain(wanted);
    }
    expect(unit).not.toMatch(/@[A-Z_]+@|network-online|time-sync/);
  });

  it('is for root with the one disk and its watchdog where updates are configured', async () => {
    const unit = await render('agent.service', updating, 254);
    for (const wanted of [
      'User=root\nGroup=flotilla-agent',
      'CapabilityBoundingSet=CAP_SYS_BOOT\n',
      'DeviceAllow=/dev/mmcblk0 rw\nDeviceAllow=/dev/watchdog0 rw',
      'DevicePolicy=closed',
      'RestartMaxDelaySec=300',
    ]) {
      expect(unit).toContain(wanted);
    }
    expect(unit).not.toContain('PrivateDevices');
  });

  it('takes the user that the configuration names, and no path that could end a line', async () => {
    const named = `${updating}service: { user: meter }\n`;
    expect(serviceUser(parseAgentConfig(named, '/etc/flotilla/agent.yaml'))).toBe('meter');
    expect(await render('agent.service', named)).toContain('User=meter\nGroup=\n');
    await expect(render('agent.service', plain.replace('/run/flotilla/door.sock', '/srv/a b/door.sock'))).rejects
      .toMatchObject({ code: 'install-path-odd' }); // prettier-ignore
  });

  it('never lets the agent write where the rules of the device are', () => {
    const place = '/data/flotilla/agent.yaml';
    const beside = parseAgentConfig('coordinator: { host: h }\n', place);
    expect(() => writableFolders(beside, place)).toThrow('write its own configuration');
    const apart = parseAgentConfig(
      'coordinator: { host: h }\nidentity: { key: id/k, certificate: id/c, authority: id/a }\nevents: { socket: /run/flotilla/d.sock }\n',
      place,
    );
    expect(writableFolders(apart, place)).toEqual(['/var/lib/flotilla', '/data/flotilla/state', '/data/flotilla/id']);
  });
});

describe('the scripts of other inits', () => {
  it.each(Object.values(initSystems).filter(({ kind }) => kind !== 'systemd'))(
    '$kind',
    async ({ files, links, kind }) => {
      for (const { template } of files) {
        const script = await render(template, plain);
        expect(script).not.toMatch(/@[A-Z_]+@/);
        if (template === 'respawn.sh') continue;
        expect(script).toContain('/usr/lib/flotilla/flotilla-agent.js');
        expect(script).toContain('--log-file');
        expect(script).toContain('flotilla-agent');
      }
      expect(links.length > 0 || kind === 'busybox').toBe(true);
    },
  );
});
