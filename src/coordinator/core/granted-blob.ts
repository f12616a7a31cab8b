import { agentUpdateEnded } from '../registry/agent-update.ts';
import type { CoreState } from './core-state.ts';
import { jobContents } from './job-operation.ts';
import { neededBlobs } from './rollout-operation.ts';

/** What the device may fetch over a connection that is new: everything that it has to do and needs a file for. */
export function grantedBlobs(state: CoreState, deviceId: string): string[] {
  const update = state.devices.get(deviceId)?.agentUpdate;
  const agent = update === undefined || agentUpdateEnded(update) ? [] : [update.sha256];
  return [...neededBlobs(state, deviceId), ...jobContents(state, deviceId), ...agent];
}
