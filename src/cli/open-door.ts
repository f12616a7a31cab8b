import { loadAgentConfig } from '../config/load-agent-config.ts';
import { openDoor, type DoorClient } from '../door/index.ts';

export interface DoorFlags {
  config: string | undefined;
  socket: string | undefined;
}

const defaultConfig = 'agent.yaml';

/** The door of this device's agent: at --socket, FLOTILLA_DOOR, or where the agent's file has it. */
export async function openAgentDoor({ config, socket }: DoorFlags, timeoutMs: number): Promise<DoorClient> {
  const path = socket ?? (config === undefined ? process.env['FLOTILLA_DOOR'] : undefined);
  if (path) return openDoor({ socket: path, timeoutMs });
  const { events } = await loadAgentConfig(config ?? defaultConfig);
  return openDoor({ socket: events.socket, timeoutMs });
}
