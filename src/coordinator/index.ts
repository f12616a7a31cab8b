/**
 * The coordinator's core process: pure reducers (identity/, registry/, request/, job/, rollout/), the core that runs
 * them one batch and one commit at a time (core/), what an operator can ask for (service/), the API on a unix socket
 * (api/), and the gateway processes that hold the devices' connections (gateway/).
 */
export { startCoordinator, type Coordinator, type CoordinatorOption } from './coordinator.ts';
export { readRunFile, type RunFile } from './run-file.ts';
