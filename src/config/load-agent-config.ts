import { dirname, resolve } from 'node:path';
import type { AgentConfig, UpdateConfig } from './agent-config.ts';
import { agentConfigField } from './agent-config-field.ts';
import { type Field, check } from './field.ts';
import { parseConfig, readConfigFile } from './read-config.ts';
import { maxSocketPathBytes } from './rule.ts';

/** Reads and checks an agent's file; every path becomes absolute, relative to the file. Throws ConfigError. */
export async function loadAgentConfig(file: string): Promise<AgentConfig> {
  const directory = dirname(resolve(file));
  const config = await readConfigFile(file, fieldAt(directory), 'provisioning writes this file; check --config');
  return resolveAgentPaths(config, directory);
}

/** The same for a text that is going to stand at `file`. */
export function parseAgentConfig(text: string, file: string): AgentConfig {
  const directory = dirname(resolve(file));
  return resolveAgentPaths(parseConfig(text, file, fieldAt(directory)), directory);
}

function fieldAt(directory: string): Field<AgentConfig> {
  return check(agentConfigField, ({ events }) => {
    const bytes = Buffer.byteLength(resolve(directory, events.socket));
    if (bytes <= maxSocketPathBytes) return undefined;
    return {
      message: "the path of the door's socket is too long for this system",
      seen: `${bytes} bytes: ${resolve(directory, events.socket)}`,
      expected: `at most ${maxSocketPathBytes} bytes`,
      suggestion: 'set events.socket: to a short absolute path such as /run/flotilla/door.sock',
    };
  });
}

function resolveAgentPaths(config: AgentConfig, directory: string): AgentConfig {
  const at = (path: string) => resolve(directory, path);
  const { identity, grains, boot, update, selfUpdate, events, log } = config;
  return {
    ...config,
    identity: {
      ...identity,
      key: at(identity.key),
      certificate: at(identity.certificate),
      authority: at(identity.authority),
    },
    state: at(config.state),
    jobs: { ...config.jobs, policy: at(config.jobs.policy) },
    grains: { ...grains, file: at(grains.file), directory: at(grains.directory) },
    boot: { idFile: at(boot.idFile), ...(boot.slotFile === undefined ? {} : { slotFile: at(boot.slotFile) }) },
    ...(update === undefined ? {} : { update: resolveUpdatePaths(update, at) }),
    selfUpdate: { ...selfUpdate, ...(selfUpdate.keys === undefined ? {} : { keys: selfUpdate.keys.map(at) }) },
    events: { ...events, socket: at(events.socket), schemas: at(events.schemas) },
    log: { ...log, ...(log.file === undefined ? {} : { file: at(log.file) }) },
  };
}

function resolveUpdatePaths(update: UpdateConfig, at: (path: string) => string): UpdateConfig {
  const { watchdog, slot } = update;
  return {
    ...update,
    keys: update.keys.map(at),
    destination: at(update.destination),
    hooks: { ...update.hooks, directory: at(update.hooks.directory) },
    slot: slot.backend === 'file' ? { ...slot, file: at(slot.file) } : slot,
    ...(watchdog === undefined ? {} : { watchdog: { ...watchdog, file: at(watchdog.file) } }),
  };
}
