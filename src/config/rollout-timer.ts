import type { CoordinatorConfig } from './coordinator-config.ts';

/** Seconds of silence in each state of a device. */
export function rolloutTimers({ rollouts }: Pick<CoordinatorConfig, 'rollouts'>) {
  return {
    offered: rollouts.offeredTimeoutSeconds,
    downloading: rollouts.downloadTimeoutSeconds,
    verified: rollouts.installTimeoutSeconds,
    installing: rollouts.installTimeoutSeconds,
    rebooting: rollouts.rebootTimeoutSeconds,
    testing: rollouts.testTimeoutSeconds,
    running: rollouts.runningTimeoutSeconds,
  };
}
