import { describe, expect, it } from 'vitest';
import { agentConfigField } from '../../../src/config/agent-config-field.ts';
import { defaultAgentConfig, defaultUpdateRules } from '../../../src/config/agent-default.ts';
import { ConfigError } from '../../../src/config/problem.ts';
import { parseConfig } from '../../../src/config/read-config.ts';

const read = (source: string) => parseConfig(source, 'agent.yaml', agentConfigField);
const update = (more: string) => `coordinator: { host: h }
update:
  product: Harbour
  platform: board
  keys: [firmware.pub]
  destination: disk.img
  slot: { blockOffset: 64, blockCount: 64, blockOffsetRedund: 128 }
${more}`;

const slot = (text: string) => update('').replace(/slot: .*/, `slot: ${text}`);

function keysOf(source: string): string[] {
  try {
    read(source);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map((problem) => problem.key);
    throw error;
  }
}

describe("the agent's file", () => {
  it('needs nothing but the host of the coordinator', () => {
    expect(read('coordinator: { host: fleet.example.org }\n')).toEqual({
      ...defaultAgentConfig,
      coordinator: { host: 'fleet.example.org', port: 7443 },
    });
  });

  it('without an update section takes no updates', () => {
    expect(read('coordinator: { host: h }\n')).not.toHaveProperty('update');
  });

  it('fills in an update section', () => {
    expect(read(update('')).update).toEqual({
      ...defaultUpdateRules,
      product: 'Harbour',
      platform: 'board',
      keys: ['firmware.pub'],
      destination: 'disk.img',
      task: 'upgrade',
      slot: {
        backend: 'uboot',
        blockOffset: 64,
        blockCount: 64,
        blockOffsetRedund: 128,
        activeVariable: 'active_slot',
        pendingVariable: 'upgrade_available',
        bootcountVariable: 'bootcount',
        bootlimitVariable: 'bootlimit',
        uuidVariablePrefix: '',
      },
      reboot: { command: ['reboot'], timeoutSeconds: 120 },
      health: { checks: [], soakSeconds: 5, connectTimeoutSeconds: 300, noCoordinator: 'revert' },
    });
  });

  it('takes health checks, a watchdog and an own reboot command', () => {
    const more = `  reboot: { command: [/bin/sh, -c, "exit 0"] }
  health:
    checks: [{ name: http, command: [curl, localhost] }]
    soakSeconds: 0
  watchdog: {}
`;
    expect(read(update(more)).update).toMatchObject({
      reboot: { command: ['/bin/sh', '-c', 'exit 0'], timeoutSeconds: 120 },
      health: { checks: [{ name: 'http', command: ['curl', 'localhost'], timeoutMs: 30_000 }], soakSeconds: 0 },
      watchdog: { file: '/dev/watchdog', intervalMs: 1_000 },
    });
  });

  it("takes the owner's rules about updates", () => {
    const more = `  approval: required
  limits: { deferSeconds: 0, testingSeconds: 60 }
  windows:
    install: [{ cron: "0 2 * * *", durationSeconds: 7200 }]
    reboot: [{ cron: "0 4 * * SUN", durationSeconds: 3600, zone: Europe/Berlin }]
  zone: America/New_York
  download: { maxBytesPerSecond: 20000 }
  metered: { when: { network:type: [lte, nb-iot] }, download: up-to, maxBytes: 100000 }
  hooks: { timeoutSeconds: 10 }
  health: { product: {} }
`;
    expect(read(update(more)).update).toMatchObject({
      approval: 'required',
      limits: { ...defaultUpdateRules.limits, deferSeconds: 0, testingSeconds: 60 },
      windows: {
        download: [],
        install: [{ cron: '0 2 * * *', durationSeconds: 7_200, zone: 'device' }],
        reboot: [{ cron: '0 4 * * SUN', durationSeconds: 3_600, zone: 'Europe/Berlin' }],
      },
      zone: 'America/New_York',
      download: { maxBytesPerSecond: 20_000 },
      metered: { when: { 'network:type': ['lte', 'nb-iot'] }, download: 'up-to', maxBytes: 100_000 },
      hooks: { directory: 'hooks/update', timeoutSeconds: 10, retrySeconds: 60, retryLimitSeconds: 1_800 },
      health: { product: { timeoutSeconds: 300, missing: 'failed' } },
    });
  });

  it.each([
    ['a window that never opens', '  windows: { install: [{ cron: "0 0 31 2 *", durationSeconds: 60 }] }\n'],
    [
      'a window of a zone that is none',
      '  windows: { install: [{ cron: "0 0 * * *", durationSeconds: 60, zone: Mars }] }\n',
    ],
    ['a zone that is none', '  zone: Mars\n'],
    ['a metered link with no grain', '  metered: { when: {}, download: never }\n'],
    ['up-to without a size', '  metered: { when: { a: [b] }, download: up-to }\n'],
    ['a size without up-to', '  metered: { when: { a: [b] }, download: never, maxBytes: 5 }\n'],
    ['an approval by nobody', '  approval: perhaps\n'],
    ['a limit of nothing', '  limits: { testingSeconds: 0 }\n'],
  ])('refuses %s', (_, more) => {
    expect(() => read(update(more))).toThrow();
  });

  it('takes slots by a file and by a script', () => {
    const slotOf = (text: string) => read(slot(text)).update?.slot;
    expect(slotOf('{ backend: file, file: boot/slots }')).toEqual({
      backend: 'file',
      file: 'boot/slots',
      slots: ['a', 'b'],
      activeVariable: 'active_slot',
      pendingVariable: 'upgrade_available',
      bootcountVariable: 'bootcount',
      bootlimitVariable: 'bootlimit',
      uuidVariablePrefix: '',
    });
    expect(slotOf('{ backend: script, command: [/usr/lib/slot.sh] }')).toEqual({
      backend: 'script',
      command: ['/usr/lib/slot.sh'],
      timeoutSeconds: 30,
    });
  });

  it('with an empty list of allowed programs allows none', () => {
    expect(read('coordinator: { host: h }\njobs: { allow: [] }\n').jobs.allow).toEqual([]);
  });

  it.each([
    ['no coordinator', 'state: x\n', ['coordinator']],
    ['an unknown key in a section', 'coordinator: { host: h, prt: 1 }\n', ['coordinator.prt']],
    ['port 0', 'coordinator: { host: h, port: 0 }\n', ['coordinator.port']],
    ['updates without a key', update('').replace('[firmware.pub]', '[]'), ['update.keys']],
    ['updates without a destination', update('').replace(/ {2}destination.*\n/, ''), ['update.destination']],
    ['environments that overlap', update('').replace('128', '127'), ['update.slot']],
    ['an unknown backend', update('').replace('{ block', '{ backend: grub, block'), ['update.slot.backend']],
    ['a file of slots without its place', slot('{ backend: file }'), ['update.slot.file']],
    ['one slot alone', slot('{ backend: file, file: s, slots: [a] }'), ['update.slot.slots']],
    ['one slot twice', slot('{ backend: file, file: s, slots: [a, a] }'), ['update.slot']],
    ['a script without a program', slot('{ backend: script, command: [] }'), ['update.slot.command']],
    ['blocks for a script', slot('{ backend: script, command: [x], blockCount: 1 }'), ['update.slot.blockCount']],
    ['a backend without a name', slot('{ backend: }'), ['update.slot.backend']],
    ['an empty reboot command', update('  reboot: { command: [] }\n'), ['update.reboot.command']],
    ['a command that is no list', update('  reboot: { command: reboot }\n'), ['update.reboot.command']],
    [
      'a health check without command',
      update('  health: { checks: [{ name: x }] }\n'),
      ['update.health.checks[0].command'],
    ],
    [
      'a variable with =',
      update('').replace('{ block', '{ activeVariable: "a=b", block'),
      ['update.slot.activeVariable'],
    ],
    ['a back-off upside down', 'coordinator: { host: h }\nlink: { backoff: { firstMinMs: 9000 } }\n', ['link.backoff']],
    ['an unknown packing', 'coordinator: { host: h }\nlink: { packing: zip }\n', ['link.packing']],
    ['a version that reads as a number', update('').replace('Harbour', '1.0'), ['update.product']],
    ['two problems', 'coordinator: { host: "" }\njobs: { shell: yes }\n', ['coordinator.host', 'jobs.shell']],
  ])('is refused with %s', (_what, source, keys) => expect(keysOf(source)).toEqual(keys));
});
