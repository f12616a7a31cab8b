import { loadAgentConfig } from '../../config/load-agent-config.ts';
import { openDoor, type DoorStatus } from '../../door/index.ts';
import { FlotillaError, type ErrorDocument } from '../../error.ts';
import { readIdentityStatus, type IdentityStatus } from './identity-status.ts';
import { readServiceStatus, type ServiceStatus } from './service-status.ts';

export interface DeviceStatus {
  config: string;
  /** Of the programs that answer here; what runs says its own below `agent`. */
  version: string;
  node: string;
  service: ServiceStatus;
  identity: IdentityStatus | { fault: ErrorDocument };
  /** What the running agent says of itself. */
  agent: DoorStatus | { fault: ErrorDocument };
}

const answerMs = 5_000;

/** All that is known on the device. What can't be known says why; only a configuration that can't be read throws. */
export async function readDeviceStatus(configFile: string, version: string): Promise<DeviceStatus> {
  const config = await loadAgentConfig(configFile);
  return {
    config: configFile,
    version,
    node: process.version,
    service: await readServiceStatus(),
    identity: await readIdentityStatus(config).catch(faultOf),
    agent: await askAgent(config.events.socket).catch(faultOf),
  };
}

async function askAgent(socket: string): Promise<DoorStatus> {
  await using client = await openDoor({ socket, timeoutMs: answerMs });
  return await client.status();
}

function faultOf(error: unknown): { fault: ErrorDocument } {
  const known = error instanceof FlotillaError ? error : new FlotillaError('ours', 'internal', String(error));
  return { fault: known.toJSON() };
}
