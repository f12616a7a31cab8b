import { dirname, join, sep } from 'node:path';
import type { AgentConfig } from '../../config/agent-config.ts';
import { readPackageAsset } from '../../config/package-asset.ts';
import { FlotillaError } from '../../error.ts';
import { agentUser, deviceLayout } from '../layout.ts';

export interface ServiceOption {
  /** The configuration as the device has it, and where. */
  config: AgentConfig;
  configPath: string;
  node: string;
  agentFile: string;
  /** Of the init, where it is systemd and known. */
  systemdVersion?: number | undefined;
}

/**
 * A young generation that stays small, one helper thread, and code compiled for speed only where it is hot for long (a
 * bundle being applied). Without Node's own snapshot a start takes 0.1 s more, and 4 MB less stay. Maglev crashes now and
 * then (nodejs/node#64841), and is worth nothing here. What each is worth: `npm run bench:agent`.
 */
export const nodeFlags: readonly string[] = [
  '--no-node-snapshot',
  '--max-semi-space-size=1',
  '--max-old-space-size=96',
  '--v8-pool-size=1',
  '--expose-gc',
  '--optimize-for-size',
  '--no-sparkplug',
  '--invocation-count-for-feedback-allocation=100',
  '--no-maglev',
  '--invocation-count-for-turbofan=500000',
];
/**
 * One arena instead of one a thread, and memory that is given back when it is free: compiling the file takes 10 MB that
 * malloc would keep for good. Two threads are enough for files and names.
 */
export const serviceEnvironment: readonly string[] = [
  'MALLOC_ARENA_MAX=1',
  'MALLOC_MMAP_THRESHOLD_=4096',
  'MALLOC_TRIM_THRESHOLD_=65536',
  'MALLOC_TOP_PAD_=16384',
  'UV_THREADPOOL_SIZE=2',
  'NODE_ENV=production',
];

/** The user of the service: `auto` is root where updates write the disk. */
export function serviceUser({ service, update }: AgentConfig): string {
  if (service.user !== 'auto') return service.user;
  return update === undefined ? agentUser : 'root';
}

/**
 * Folders that the agent writes to, none of them inside another; what the unit makes itself is not among them. Refuses a
 * configuration by which the agent, and every job that it runs, could write the configuration itself: what may run on a
 * device is the device's own rule.
 */
export function writableFolders(config: AgentConfig, configPath: string): string[] {
  const { state, identity, log, events, update } = config;
  const wanted = [
    deviceLayout.data,
    state,
    ...[identity.key, identity.certificate, identity.authority].map((path) => dirname(path)), // renewed beside the old ones
    ...(log.file === undefined ? [] : [dirname(log.file)]),
    ...(update?.slot.backend === 'file' ? [dirname(update.slot.file)] : []),
    ...(isWithin(events.socket, deviceLayout.run) ? [] : [dirname(events.socket)]),
  ];
  const open = wanted.find((path) => isWithin(configPath, path));
  if (open !== undefined) {
    throw new FlotillaError(
      'refused',
      'install-rules-writable',
      'the agent would be able to write its own configuration',
      {
        seen: `it writes to ${open}, where ${configPath} is`,
        expected: 'identity, state, events.socket, log.file and update.slot.file in folders of their own',
        suggestion: 'leave out --in-place, and each gets its place; or name other paths',
      },
    );
  }
  const unique = [...new Set(wanted)];
  return unique.filter((path) => !unique.some((other) => other !== path && isWithin(path, other)));
}

/**
 * Programs of the product reach the door by this group, whoever the agent is. Empty: the user's own first group, of a
 * user that somebody else has made.
 */
export function serviceGroup(user: string): string {
  return user === 'root' || user === agentUser ? agentUser : '';
}

/** The service's description for its init: the template with this device's values. Templates compute nothing. */
export async function renderService(template: string, option: ServiceOption): Promise<string> {
  const { config, configPath, node, agentFile } = option;
  const user = serviceUser(config);
  const writable = writableFolders(config, configPath);
  const values: Record<string, string> = {
    NODE: plain(node),
    NODE_FLAGS: nodeFlags.join(' '),
    LAUNCH: plain(deviceLayout.launcher),
    AGENT: plain(agentFile),
    CONFIG: plain(configPath),
    CERTIFICATE: plain(config.identity.certificate),
    USER: user,
    GROUP: serviceGroup(user),
    LOG: plain(config.log.file ?? deviceLayout.logFile),
    RESPAWN: plain(deviceLayout.respawn),
    MOUNTS: [dirname(configPath), ...writable].map(plain).join(' '),
    WRITABLE: [...writable, ...regularDestination(config)].map(plain).join(' '),
    MEMORY_MAX: String(config.service.memoryMaxBytes),
    CPU_QUOTA: `${config.service.cpuPercent}%`,
    ...(template.endsWith('.service') ? systemdLines(option, user) : { ENVIRONMENT: serviceEnvironment.join(' ') }),
  };
  const text = await readPackageAsset(`templates/agent/${template}`);
  return text.replace(/@([A-Z_]+)@/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`${template} asks for ${name}`);
    return value;
  });
}

/** The launcher for this configuration and for this installed agent, by its SHA-256: another one is not replaced. */
export async function renderLauncher(config: AgentConfig, agentFile: string, base: string): Promise<string> {
  const values: Record<string, string> = {
    AGENT: plain(agentFile),
    PROGRAMS: plain(join(config.state, 'program')),
    BASE: base,
    // Whoever has not given up by itself a minute later never will.
    TRIAL_SECONDS: String(config.selfUpdate.proveSeconds + 60),
  };
  const text = await readPackageAsset('templates/agent/launch.sh');
  return text.replace(/@([A-Z_]+)@/g, (_, name: string) => values[name]!);
}

function systemdLines({ config, systemdVersion = 0 }: ServiceOption, user: string): Record<string, string> {
  const root = user === 'root';
  return {
    ENVIRONMENT: [...serviceEnvironment, `NODE_COMPILE_CACHE=${deviceLayout.cache}`]
      .map((pair) => `Environment=${pair}`)
      .join('\n'),
    // Growing delays are known from 254 on; an older one gets one that a fleet can bear.
    RESTART: systemdVersion >= 254 ? 'RestartSec=2\nRestartSteps=8\nRestartMaxDelaySec=300' : 'RestartSec=10',
    DEVICES: deviceLines(config).join('\n'),
    // Root without these is root for files and for init alone; restarting the machine is what updates need besides.
    CAPABILITIES: root ? 'CAP_SYS_BOOT' : '',
    SYSTEM_CALLS_LEFT_OUT: root
      ? '@clock @cpu-emulation @debug @module @mount @obsolete @raw-io @swap'
      : '@privileged @resources',
  };
}

/** The one disk that updates are written to, and the watchdog; nothing else in /dev but what every program needs. */
function deviceLines({ update }: AgentConfig): string[] {
  if (update === undefined) return ['PrivateDevices=yes', 'DevicePolicy=closed'];
  const devices = [update.destination, ...(update.watchdog === undefined ? [] : [update.watchdog.file])];
  return [
    'DevicePolicy=closed',
    ...devices.filter((file) => isWithin(file, '/dev')).map((file) => `DeviceAllow=${plain(file)} rw`),
  ];
}

function regularDestination({ update }: AgentConfig): string[] {
  if (update === undefined) return [];
  const files = [update.destination, ...(update.watchdog === undefined ? [] : [update.watchdog.file])];
  return files.filter((file) => !isWithin(file, '/dev')).map((file) => `-${file}`);
}

function isWithin(file: string, folder: string): boolean {
  return file === folder || file.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

/** A path that means itself in a unit and in a shell alike. */
function plain(text: string): string {
  if (/^-?\/[\w@+=:,./-]*$/.test(text)) return text;
  throw new FlotillaError('usage', 'install-path-odd', 'a path that no unit and no script can hold safely', {
    seen: JSON.stringify(text),
    expected: 'an absolute path of letters, digits and @ + = : , . / - _',
  });
}
