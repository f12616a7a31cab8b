/**
 * Rollouts without devices: a policy is tried on a fleet that exists in memory alone, on a virtual clock, through the
 * very reducers that the coordinator runs; and a real one is replayed. Pure: no IO, no clock, no chance but a seed's.
 */
export { judgeTrial, type Expectation, type Miss, type Range } from './expectation.ts';
export { createFleet, type DeviceKind, type Fleet, type FleetDevice } from './fleet.ts';
export {
  failureEnds,
  simulatedSteps,
  type FailureEnd,
  type FleetModel,
  type SimulatedStep,
  type Who,
} from './fleet-model.ts';
export { replayRecording, type Replayed } from './replay.ts';
export { simulatePolicy, type PolicyTrial, type Trial } from './simulate-policy.ts';
export { fixed, type Stretch } from './stretch.ts';
