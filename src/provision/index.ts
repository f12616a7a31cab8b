/** What is made once, before the link works: a fleet in its folder, and what a device needs to run the agent. */
export { type CreateFleetOption, type CreatedFleet, checkFleetTarget, createFleet } from './create-fleet.ts';
export { createFleetId } from './fleet-id.ts';
export { findRuntime, runtimeCacheDirectory, type FoundRuntime, type RuntimeTarget } from './runtime/find-runtime.ts';
