/** What a host is to have, from the flags of `provision ssh` and `provision verify`. */
import { readFile } from 'node:fs/promises';
import { Flags } from '@oclif/core';
import type { CoordinatorStatus } from '../client/contract/index.ts';
import { FlotillaError, systemErrorCode } from '../error.ts';
import { formatGrains, parseTarget, renderAgentConfig, type HostEntry, type Wanted } from '../provision/index.ts';

export const settingFlags = {
  coordinator: Flags.string({
    description: 'how the devices reach the coordinator; its own port when none is given',
    required: true,
    helpValue: 'HOST[:PORT]',
  }),
  'agent-config': Flags.file({
    description: 'agent.yaml to start from, instead of the template; coordinator: is filled in',
    helpValue: 'FILE',
  }),
};

export interface SettingFlagValues {
  coordinator: string;
  'agent-config'?: string | undefined;
}

export async function createSetting(
  flags: SettingFlagValues,
  { status, agentSha256 }: { status: CoordinatorStatus; agentSha256: string },
): Promise<(entry: HostEntry) => Wanted> {
  const endpoint = parseTarget(flags.coordinator);
  if (endpoint === undefined || endpoint.user !== undefined) {
    throw new FlotillaError('usage', 'agent-coordinator-invalid', 'this is no address of a coordinator', {
      seen: flags.coordinator,
      expected: 'HOST or HOST:PORT, an IPv6 address in brackets: [fd00::1]:7443',
    });
  }
  const template = flags['agent-config'] === undefined ? undefined : await readText(flags['agent-config']);
  const configText = await renderAgentConfig({
    host: endpoint.host,
    port: endpoint.port ?? status.listen.port,
    ...(template === undefined ? {} : { template }),
  });
  return ({ deviceId, grains }) => ({
    deviceId,
    fleetId: status.fleetId,
    agentSha256,
    configText,
    grainsText: formatGrains(grains),
  });
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new FlotillaError('usage', 'file-unreadable', `${file} can't be read`, {
      seen: systemErrorCode(cause) ?? String(cause),
      expected: 'an agent.yaml',
      cause,
    });
  }
}
