/** Where a device stands in a rollout. Without schemas: commands that only show it need none. */
export const rolloutDeviceStates = [
  'waiting', // its phase has not begun
  'queued', // may be offered: waits for a limit, a window, its retry, or is away
  'offered',
  'downloading',
  'verified',
  'installing',
  'rebooting',
  'testing',
  'running', // does what is no release: see RolloutAction
  'committed', // proven: new boot id, slot, bundle UUID, health, marked good; or what the action asks for
  'already', // was so before it was offered
  'rolled-back',
  'failed',
  'timed-out',
  'unknown', // sent, and nobody knows whether it was done: never repeated by itself
  'rejected',
  'cancelled',
] as const;
export type RolloutDeviceState = (typeof rolloutDeviceStates)[number];

/** It was offered it, and has not come to an end. */
export const inFlightStates: readonly RolloutDeviceState[] = [
  'offered',
  'downloading',
  'verified',
  'installing',
  'rebooting',
  'testing',
  'running',
];
/** Ended badly, or nobody knows how. */
export const failureStates: readonly RolloutDeviceState[] = ['failed', 'rolled-back', 'timed-out', 'unknown'];
