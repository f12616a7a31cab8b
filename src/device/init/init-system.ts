/** How each init starts the agent: what goes where, and what is asked of it. Plain data, but for the questions. */
import { access } from 'node:fs/promises';
import { execa } from 'execa';
import { FlotillaError } from '../../error.ts';
import { deviceLayout, onDisk, serviceName } from '../layout.ts';

export const initKinds = ['systemd', 'openrc', 'sysv', 'procd', 'busybox'] as const;
export type InitKind = (typeof initKinds)[number];

type Argv = readonly [string, ...string[]];

export interface InitSystem {
  kind: InitKind;
  /** Templates, by where they go. */
  files: readonly { path: string; template: string; mode: number }[];
  /** By these it starts at boot. */
  links: readonly { path: string; target: string }[];
  /** After the files have changed. */
  reload?: Argv;
  start: Argv;
  stop: Argv;
  /** Exit code 0: it runs. */
  isRunning: Argv;
  /** Where its output is, for a person. */
  showLog: Argv;
}

const script = `/etc/init.d/${serviceName}`;
const showFile: Argv = ['tail', '-n', '40', deviceLayout.logFile];
const respawn = { path: deviceLayout.respawn, template: 'respawn.sh', mode: 0o755 };

function sysvLinks(): InitSystem['links'] {
  const of = (levels: number[], name: string) =>
    levels.map((level) => ({ path: `/etc/rc${level}.d/${name}`, target: `../init.d/${serviceName}` }));
  return [...of([2, 3, 4, 5], `S90${serviceName}`), ...of([0, 1, 6], `K10${serviceName}`)];
}

/** Debian's order of programs: `sh SCRIPT WORD`. */
function byScript(path: string): Pick<InitSystem, 'start' | 'stop' | 'isRunning' | 'showLog'> {
  return { start: [path, 'start'], stop: [path, 'stop'], isRunning: [path, 'status'], showLog: showFile };
}

export const initSystems: Readonly<Record<InitKind, InitSystem>> = {
  systemd: {
    kind: 'systemd',
    files: [{ path: `/etc/systemd/system/${serviceName}.service`, template: 'agent.service', mode: 0o644 }],
    links: [
      {
        path: `/etc/systemd/system/multi-user.target.wants/${serviceName}.service`,
        target: `/etc/systemd/system/${serviceName}.service`,
      },
    ],
    reload: ['systemctl', 'daemon-reload'],
    start: ['systemctl', 'start', serviceName],
    stop: ['systemctl', 'stop', serviceName],
    isRunning: ['systemctl', 'is-active', '--quiet', serviceName],
    showLog: ['journalctl', '--no-pager', '--lines=40', '--output=cat', `--unit=${serviceName}`],
  },
  openrc: {
    kind: 'openrc',
    files: [{ path: script, template: 'openrc.sh', mode: 0o755 }],
    links: [{ path: `/etc/runlevels/default/${serviceName}`, target: script }],
    start: ['rc-service', serviceName, 'start'],
    stop: ['rc-service', serviceName, 'stop'],
    isRunning: ['rc-service', serviceName, 'status'],
    showLog: showFile,
  },
  sysv: {
    kind: 'sysv',
    files: [respawn, { path: script, template: 'sysv.sh', mode: 0o755 }],
    links: sysvLinks(),
    ...byScript(script),
  },
  procd: {
    kind: 'procd',
    files: [{ path: script, template: 'procd.sh', mode: 0o755 }],
    links: [
      { path: `/etc/rc.d/S95${serviceName}`, target: `../init.d/${serviceName}` },
      { path: `/etc/rc.d/K10${serviceName}`, target: `../init.d/${serviceName}` },
    ],
    ...byScript(script),
    isRunning: [script, 'running'],
  },
  /** Buildroot's rcS starts every `S??*` of /etc/init.d: the name is all that enables it. */
  busybox: {
    kind: 'busybox',
    files: [respawn, { path: `/etc/init.d/S95${serviceName}`, template: 'sysv.sh', mode: 0o755 }],
    links: [],
    ...byScript(`/etc/init.d/S95${serviceName}`),
  },
};

/** What tells each: on a running machine first what runs, then what is installed. */
const signs: readonly (readonly [InitKind, 'running' | 'installed', string])[] = [
  ['systemd', 'running', '/run/systemd/system'],
  ['openrc', 'running', '/run/openrc'],
  ['procd', 'installed', '/sbin/procd'],
  ['systemd', 'installed', '/lib/systemd/systemd'],
  ['systemd', 'installed', '/usr/lib/systemd/systemd'],
  ['openrc', 'installed', '/sbin/openrc-run'],
  ['openrc', 'installed', '/usr/sbin/openrc-run'],
  ['sysv', 'installed', '/etc/rc2.d'],
  ['busybox', 'installed', '/etc/init.d/rcS'],
];

export async function detectInit(prefix: string): Promise<InitSystem> {
  for (const [kind, evidence, path] of signs) {
    if (prefix === '/' || evidence === 'installed') {
      // A machine that has systemd's files and was booted by another init says so by what runs.
      if (prefix === '/' && evidence === 'installed' && kind === 'systemd') continue;
      if (await exists(onDisk(prefix, path))) return initSystems[kind];
    }
  }
  throw new FlotillaError('failed', 'install-init-unknown', 'it is not known what starts services on this system', {
    expected: initKinds.join(', '),
    suggestion: 'name it by --init, or let your supervisor start: flotilla-agent run --config FILE',
  });
}

export async function ask(argv: Argv): Promise<{ exitCode: number; output: string }> {
  const [program, ...rest] = argv;
  const { exitCode, stdout, stderr, originalMessage } = await execa(program, rest, {
    reject: false,
    stdin: 'ignore',
    timeout: 60_000,
    env: { LC_ALL: 'C' },
  });
  return { exitCode: exitCode ?? 127, output: [stdout, stderr, originalMessage].filter(Boolean).join('\n').trim() };
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
