import type { DeviceUpdate, DoorClient } from '../door/index.ts';

/** States after which the machine restarts, or nothing more happens. */
const handedOver: ReadonlySet<string> = new Set(['rebooting', 'testing', 'reverting']);
const ended: ReadonlySet<string> = new Set(['committed', 'rolled-back', 'failed', 'rejected', 'cancelled']);

/**
 * Has the agent install a bundle out of a file, and follows it to the restart of the machine, or to its end where it comes
 * to that before. An agent that goes away while the slot is written is one that restarts.
 */
export async function installBundle(
  client: Pick<DoorClient, 'installUpdate' | 'watchUpdates'>,
  path: string,
  onState: (update: DeviceUpdate) => void,
): Promise<DeviceUpdate> {
  let last = await client.installUpdate(path);
  onState(last);
  try {
    for await (const { update } of client.watchUpdates()) {
      if (update?.rolloutId !== last.rolloutId) continue;
      if (update.state !== last.state || update.wait?.code !== last.wait?.code) onState(update);
      last = update;
      if (handedOver.has(update.state) || ended.has(update.state)) return last;
    }
  } catch (error) {
    if (last.state !== 'installing') throw error;
  }
  return last;
}

/** 0 on its way or proven; 4 failed; 6 not taken. */
export function installExitCode({ state }: Pick<DeviceUpdate, 'state'>): 0 | 4 | 6 {
  if (state === 'rejected') return 6;
  return state === 'failed' || state === 'rolled-back' || state === 'cancelled' ? 4 : 0;
}

export function formatInstallState({ version, state, reason, wait }: DeviceUpdate): string {
  const why = reason === undefined ? '' : `: ${reason.code}: ${reason.message}`;
  const waits = wait === undefined ? '' : ` (waits: ${wait.message})`;
  return `${version} ${state}${why}${waits}`;
}

export const afterInstall = 'the machine restarts; `agent update status` tells how it ends, `agent receipt` proves it';
