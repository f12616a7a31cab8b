import { type RolloutDocument } from './rollout-state.ts';
import { isInFlight, type TargetDevice } from './target-device.ts';

/** Asked for only where a limit turns on it. */
export interface Presence {
  readonly connected: boolean;
  /** Since when. Before the last word of the device it makes no difference. */
  readonly sinceMs: number;
}

/**
 * When the coordinator stops waiting for a device, in the state that it is in; undefined where it waits for others
 * alone (its phase, a free place, an operator). Every state in which the device itself is waited for has a limit.
 */
export function deadlineOf(
  document: Pick<RolloutDocument, 'timers' | 'policy' | 'state'>,
  device: TargetDevice,
  presence: Presence,
): { atMs: number; reason: string } | undefined {
  const { state, activeAtMs } = device;
  const away = () => ({
    atMs: Math.max(presence.sinceMs, activeAtMs) + document.policy.deadlineSeconds * 1000,
    reason: `${state}: not connected for ${document.policy.deadlineSeconds} s`,
  });
  if (state === 'queued') return document.state !== 'running' || presence.connected ? undefined : away();
  if (!isInFlight(state)) return undefined;
  if (device.wait !== undefined) return waitDeadline(document, device, presence);
  const seconds = document.timers[state as keyof typeof document.timers];
  // The action has timers of its own for it.
  if (seconds === undefined) return undefined;
  // From here on it may be bricked: being away is no excuse.
  if (state === 'installing' || state === 'rebooting' || state === 'testing' || state === 'running') {
    return { atMs: activeAtMs + seconds * 1000, reason: `${state}: no word for ${seconds} s` };
  }
  if (!presence.connected) return away();
  return { atMs: Math.max(presence.sinceMs, activeAtMs) + seconds * 1000, reason: `${state}: silent for ${seconds} s` };
}

/** A device that has said for how long it puts the next step off may be silent that long, and then as long as ever. */
const maxWaitMs = 30 * 86_400_000;
/** For one that could not say: until it says that it goes on. */
const openWaitMs = 14 * 86_400_000;

function waitDeadline(
  { timers, policy }: Pick<RolloutDocument, 'timers' | 'policy'>,
  { state, activeAtMs, wait }: TargetDevice,
  { connected, sinceMs }: Presence,
): { atMs: number; reason: string } {
  const seconds = timers[state as keyof typeof timers] ?? 0;
  const untilMs = Math.min(wait?.untilMs ?? activeAtMs + openWaitMs, activeAtMs + maxWaitMs);
  const silentMs = Math.max(untilMs, activeAtMs) + seconds * 1000;
  const code = wait?.code ?? '';
  // Installed already: being away is no excuse, but being told to wait is one.
  if (connected || state === 'rebooting') {
    return { atMs: Math.max(silentMs, sinceMs + seconds * 1000), reason: `${state}: silent after its wait (${code})` };
  }
  const awayMs = Math.max(sinceMs, activeAtMs) + policy.deadlineSeconds * 1000;
  return { atMs: Math.max(silentMs, awayMs), reason: `${state}: not connected after its wait (${code})` };
}
