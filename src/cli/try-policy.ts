import { parseConfig } from '../config/read-config.ts';
import { defaultCoordinatorConfig, rolloutTimers } from '../config/index.ts';
import type { RolloutRequest } from '../client/contract/index.ts';
import { simulatePolicy, type Fleet, type FleetModel, type Trial } from '../simulation/index.ts';
import { fleetModelField } from './fleet-model-field.ts';
import { readInput } from './read-input.ts';

/** A Monday, at midnight UTC: without a time that is asked for, two runs are the same. */
export const defaultStartMs = Date.parse('2026-01-05T00:00:00Z');
export const defaultLimitSeconds = 30 * 86_400;
export const defaultSeed = 1;
const defaultBundleBytes = 32 * 1024 * 1024;
const maxModelBytes = 1024 * 1024;

export interface PolicyQuestion {
  request: RolloutRequest;
  fleet: Fleet;
  model: FleetModel;
  seed: number;
  startMs: number;
  limitSeconds: number;
  bundleBytes?: number;
}

/** With the timers of a coordinator whose configuration says nothing of them. */
export function tryPolicy({ bundleBytes = defaultBundleBytes, ...question }: PolicyQuestion): Trial {
  return simulatePolicy({ ...question, bundleBytes, timers: rolloutTimers(defaultCoordinatorConfig) });
}

export async function readFleetModel(file: string | undefined): Promise<FleetModel> {
  if (file === undefined) return {};
  const source = (await readInput(file, 'a model of a fleet', maxModelBytes)).toString();
  return parseConfig(source, file, fleetModelField);
}
