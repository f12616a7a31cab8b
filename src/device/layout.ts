import { join } from 'node:path';

export const serviceName = 'flotilla-agent';
/** And its group. */
export const agentUser = 'flotilla-agent';
export const defaultConfigPath = '/etc/flotilla/agent.yaml';

/** Where everything of an installed agent is, as the device sees it; `onDisk` says where that is from here. */
export const deviceLayout = {
  /** Read-only for the agent. */
  programs: '/usr/lib/flotilla',
  agentFile: '/usr/lib/flotilla/flotilla-agent.js',
  runtime: '/usr/lib/flotilla/node',
  /** Starts the agent, or one that came over the link in its place. */
  launcher: '/usr/lib/flotilla/launch',
  respawn: '/usr/lib/flotilla/respawn',
  /** For people. */
  command: '/usr/local/bin/flotilla-agent',
  /** Readable for the agent. */
  configuration: '/etc/flotilla',
  config: defaultConfigPath,
  /** The agent's own: its identity, its database. */
  data: '/var/lib/flotilla',
  identity: '/var/lib/flotilla/identity',
  state: '/var/lib/flotilla/state',
  cache: '/var/cache/flotilla',
  log: '/var/log/flotilla',
  logFile: '/var/log/flotilla/agent.log',
  run: '/run/flotilla',
} as const;

/** From the device's path to the one here, below the prefix. */
export function onDisk(prefix: string, path: string): string {
  return prefix === '/' ? path : join(prefix, path);
}
