import { resolve } from 'node:path';
import { installBundle } from '../device/install-bundle.ts';
import type { DeviceUpdate } from '../door/index.ts';
import { parseDuration } from './duration.ts';
import { openAgentDoor } from './open-door.ts';

/** Through the agent that runs here. */
export async function installFile(
  file: string,
  flags: { config?: string | undefined; socket?: string | undefined; timeout: string },
  onState: (update: DeviceUpdate) => void,
): Promise<DeviceUpdate> {
  const timeoutMs = parseDuration(flags.timeout, '--timeout') * 1_000;
  await using client = await openAgentDoor({ config: flags.config, socket: flags.socket }, timeoutMs);
  return await installBundle(client, resolve(file), onState);
}
