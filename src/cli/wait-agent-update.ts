import { setTimeout as delay } from 'node:timers/promises';
import type { AgentUpdateProgress } from '../client/contract/index.ts';
import type { CoordinatorClient } from '../client/coordinator-client.ts';
import { FlotillaError } from '../error.ts';
import { untilInterrupted } from './interrupt.ts';

type Stand = AgentUpdateProgress['devices'][number];

/** How it stands on a device; `gone`: the device was removed, or sent a newer one. */
export type AgentOutcome = Omit<Stand, 'state'> & { state: Stand['state'] | 'gone' };

const pollMs = 500;
const open: ReadonlySet<string> = new Set(['offered', 'downloading', 'installing', 'testing']);

export function isOpen({ state }: AgentOutcome): boolean {
  return open.has(state);
}

/**
 * Asks until the update has ended on each of these devices, or the time is over. Undefined when the person left by Ctrl-C;
 * the devices go on.
 */
export async function waitAgentUpdate(
  client: Pick<CoordinatorClient, 'agentUpdate'>,
  { updateId, deviceIds }: { updateId: string; deviceIds: readonly string[] },
  { timeoutMs, onChange }: { timeoutMs: number; onChange(outcome: AgentOutcome): void },
): Promise<AgentOutcome[] | undefined> {
  const end = performance.now() + timeoutMs;
  const told = new Map<string, string>();
  const waited = await untilInterrupted(async (signal) => {
    for (;;) {
      const devices = await standsOf(client, updateId);
      const stands = new Map(devices.map((stand) => [stand.deviceId, stand]));
      const outcomes = deviceIds.map((deviceId) => stands.get(deviceId) ?? { deviceId, state: 'gone' as const });
      for (const outcome of outcomes) {
        if (told.get(outcome.deviceId) === outcome.state) continue;
        told.set(outcome.deviceId, outcome.state);
        onChange(outcome);
      }
      if (!outcomes.some(isOpen) || performance.now() >= end) return outcomes;
      await delay(Math.min(pollMs, Math.max(1, end - performance.now())), undefined, { signal });
    }
  });
  return waited.interrupted ? undefined : waited.value;
}

async function standsOf(client: Pick<CoordinatorClient, 'agentUpdate'>, updateId: string): Promise<readonly Stand[]> {
  try {
    return (await client.agentUpdate(updateId)).devices;
  } catch (error) {
    // All of them are gone from it.
    if (error instanceof FlotillaError && error.code === 'agent-update-unknown') return [];
    throw error;
  }
}
