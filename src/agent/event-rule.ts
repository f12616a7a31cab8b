import { join } from 'node:path';
import { defaultEventType } from '../config/agent-default.ts';
import type { EventsConfig } from '../config/agent-config.ts';
import { freeRoom, type DeviceLogOption, type RetentionRule } from '../eventlog/index.ts';

/** How the agent's own events stay, where it is not as `defaultEventType` says. */
const ownRules: Readonly<Record<string, RetentionRule>> = {
  // The whole set each time: what an operator has not seen yet is worth nothing once there is a newer one.
  'flotilla.grains': { ...defaultEventType, latestOnly: true },
};

/** What the log may hold, as agent.yaml says. */
export function logOption(
  { types, maxBytes, minFreeBytes }: Pick<EventsConfig, 'types' | 'maxBytes' | 'minFreeBytes'>,
  { state, nowMs }: { state: string; nowMs(): number },
): DeviceLogOption {
  return {
    rules: new Map([...Object.entries(types), ...Object.entries(ownRules)]),
    defaultRule: defaultEventType,
    maxBytes,
    minFreeBytes,
    freeBytes: () => freeRoom(state),
    reservePath: join(state, 'agent.reserve'),
    nowMs,
  };
}
