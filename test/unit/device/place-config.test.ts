/** A configuration as it is carried, and as it stands on a device. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAgentConfig } from '../../../src/config/load-agent-config.ts';
import { placeConfig } from '../../../src/device/install/place-config.ts';
import { FlotillaError } from '../../../src/error.ts';
import { top } from '../../support/cli.ts';

const template = readFileSync(join(top, 'templates', 'agent.yaml'), 'utf8');

describe('placing a configuration', () => {
  it('gives every relative path its place and leaves comments and all else as they were', () => {
    const { text, companions } = placeConfig(template, '/kit/agent.yaml');
    const config = parseAgentConfig(text, '/etc/flotilla/agent.yaml');
    expect(config).toMatchObject({
      identity: {
        key: '/var/lib/flotilla/identity/device.key',
        certificate: '/var/lib/flotilla/identity/device.crt',
        authority: '/var/lib/flotilla/identity/authority.crt',
      },
      state: '/var/lib/flotilla/state',
      events: { socket: '/run/flotilla/door.sock', schemas: '/etc/flotilla/schemas' },
      grains: { file: '/etc/flotilla/grains.yaml', directory: '/etc/flotilla/grains.d' },
    });
    expect(companions).toEqual([
      { from: '/kit/schemas', to: '/etc/flotilla/schemas', kind: 'folder' },
      { from: '/kit/grains.yaml', to: '/etc/flotilla/grains.yaml', kind: 'file' },
      { from: '/kit/grains.d', to: '/etc/flotilla/grains.d', kind: 'folder' },
    ]);
    expect(text).toContain('# SQLite of the agent');
    expect(placeConfig(text, '/etc/flotilla/agent.yaml')).toEqual({ text, companions: [] }); // it has arrived
  });

  it('leaves absolute paths alone, also where a section is missing', () => {
    const { text, companions } = placeConfig(
      'coordinator: { host: h }\nstate: /data/state\nlog: { file: agent.log }\nupdate:\n  product: p\n  platform: q\n  keys: [a.pub, /etc/b.pub]\n  destination: /dev/mmcblk0\n  slot: { blockOffset: 1, blockCount: 1 }\n',
      '/kit/agent.yaml',
    );
    expect(parseAgentConfig(text, '/etc/flotilla/agent.yaml')).toMatchObject({
      state: '/data/state',
      log: { file: '/var/log/flotilla/agent.log' },
      update: { keys: ['/etc/flotilla/keys/a.pub', '/etc/b.pub'] },
      events: { socket: '/run/flotilla/door.sock' },
    });
    expect(companions).toContainEqual({ from: '/kit/a.pub', to: '/etc/flotilla/keys/a.pub', kind: 'file' });
  });

  it('refuses a disk that is named by a relative path', () => {
    const text = 'coordinator: { host: h }\nupdate: { destination: disk.img }\n';
    expect(() => placeConfig(text, '/kit/agent.yaml')).toThrow(FlotillaError);
  });
});
