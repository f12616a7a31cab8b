import { join } from 'node:path';
import { defaultEventType } from '../config/agent-default.ts';
import type { EventsConfig } from '../config/agent-config.ts';
import { freeRoom, wholeRoom, type DeviceLogOption, type RetentionRule } from '../eventlog/index.ts';

/** How the agent's own events stay, where it is not as `defaultEventType` says. */
const ownRules: Readonly<Record<string, RetentionRule>> = {
  // What ran a while ago says nothing once there is a newer one.
  'flotilla.job-beat': { ...defaultEventType, latestOnly: true },
  // The coordinator has it then, and nobody else asks.
  'flotilla.job-file': { ...defaultEventType, keepRows: 0, keepBytes: 0, keepSeconds: 0 },
  'flotilla.job-output': { ...defaultEventType, keepRows: 0, keepBytes: 0, keepSeconds: 0 },
  // The whole set each time: what an operator has not seen yet is worth nothing once there is a newer one.
  'flotilla.grains': { ...defaultEventType, latestOnly: true },
};

/** On a small file system the room that has to stay free is a part of it, or nothing could ever be logged. */
const mostFreeShare = 1 / 8;
/** Smaller ones have no room to set two megabytes aside. */
const leastBytesForReserve = 16 * 1024 * 1024;

/** What the log may hold, as agent.yaml says. */
export function logOption(
  { types, maxBytes, minFreeBytes }: Pick<EventsConfig, 'types' | 'maxBytes' | 'minFreeBytes'>,
  { state, nowMs }: { state: string; nowMs(): number },
): DeviceLogOption {
  const wholeBytes = wholeRoom(state) ?? Infinity;
  return {
    rules: new Map([...Object.entries(types), ...Object.entries(ownRules)]),
    defaultRule: defaultEventType,
    maxBytes,
    minFreeBytes: Math.min(minFreeBytes, Math.floor(wholeBytes * mostFreeShare)),
    freeBytes: () => freeRoom(state),
    ...(wholeBytes < leastBytesForReserve ? {} : { reservePath: join(state, 'agent.reserve') }),
    nowMs,
  };
}
