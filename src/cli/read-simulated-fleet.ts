import { parseConfig } from '../config/read-config.ts';
import type { GroupSource } from '../selector/index.ts';
import { createFleet, type Fleet } from '../simulation/index.ts';
import { fleetField, type WrittenFleet } from './fleet-model-field.ts';
import { readInput } from './read-input.ts';
import { parseFleet } from './select/read-fleet-file.ts';

const maxFleetBytes = 512 * 1024 * 1024;

/** `*.yaml` and `*.yml` with devices and kinds to generate; anything else is an inventory, as `select --fleet` reads it. */
export async function readSimulatedFleet(file: string, nowMs: number): Promise<Fleet> {
  const source = (await readInput(file, 'a fleet', maxFleetBytes)).toString();
  if (/\.ya?ml$/i.test(file)) return writtenFleet(parseConfig(source, file, fleetField), nowMs);
  const { devices, groups } = parseFleet(source, file);
  return createFleet(devices, [], { groups, nowMs });
}

export function writtenFleet({ devices, generate, groups }: WrittenFleet, nowMs: number): Fleet {
  const known = devices.map(({ grains = {}, tags = {}, ...device }) => ({ ...device, grains, tags }));
  return createFleet(known, generate, { groups: sourceOf(groups), nowMs });
}

/** Groups by name. */
export function sourceOf(groups: Record<string, string>): GroupSource {
  return {
    expression: (name) => (Object.hasOwn(groups, name) ? groups[name] : undefined),
    names: () => Object.keys(groups),
  };
}
