/**
 * Rollouts without devices: a policy is tried on a fleet that exists in memory alone, on a virtual clock, through the
 * very reducers that the coordinator runs; and a real one is replayed. Pure: no IO, no clock, no chance but a seed's.
 */
export { FleetModelSchema, type FleetModel } from './fleet-model.ts';
export { FleetSchema, readFleet, type Fleet, type FleetDevice } from './fleet-file.ts';
export { replayRecording, type Replayed } from './replay.ts';
export { simulatePolicy, type PolicyTrial, type Trial } from './simulate-policy.ts';
