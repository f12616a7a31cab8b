/** The files that a person edits (coordinator.yaml, the agent's file): typed, with units, defaults and one validator. */
export {
  type AgentConfig,
  type BackoffConfig,
  type HealthCheckConfig,
  type LogConfig,
  type ServiceConfig,
  type SlotConfig,
  type UpdateConfig,
} from './agent-config.ts';
export { defaultAgentConfig, defaultUpdateConfig } from './agent-default.ts';
export { loadAgentConfig } from './load-agent-config.ts';
export type { ConnectHookConfig } from './connect-hook.ts';
export {
  type CoordinatorConfig,
  type RecoveryConfig,
  defaultCoordinatorConfig,
  loadCoordinatorConfig,
} from './coordinator-config.ts';
export { ConfigError, type ConfigProblem } from './problem.ts';
export { type FleetLayout, fleetLayout } from './fleet-layout.ts';
export { chooseProfile, loadProfiles, parseProfiles, type Profiles } from './profile-file.ts';
export { findFleetDir } from './fleet-dir.ts';
export { packageVersion, readPackageAsset } from './package-asset.ts';
export { packageRoot } from './package-root.ts';
export { rolloutTimers } from './rollout-timer.ts';
