import { FlotillaError } from '../error.ts';
import { Chance } from './chance.ts';
import type { Fleet } from './fleet.ts';
import {
  defaultDeferral,
  defaultFlapping,
  defaultTakes,
  type FailureEnd,
  type FleetModel,
  type SimulatedStep,
  type Who,
} from './fleet-model.ts';
import { fixed, type Stretch } from './stretch.ts';

/** What a model means for one device. */
export interface Behaviour {
  failure?: { as: FailureEnd; reason: string };
  awayFor?: Stretch;
  flapping?: { up: Stretch; down: Stretch };
  deferral?: Stretch;
}

export interface FleetBehaviour {
  takes: Record<SimulatedStep, Stretch>;
  of(deviceId: string): Behaviour;
}

const reasons: Record<FailureEnd, string> = {
  'rolled-back': 'health-failed',
  failed: 'install-failed',
  rejected: 'refused-by-device',
  silent: 'silent',
};
const plain: Behaviour = {};
const forGood = fixed(Infinity);

/**
 * Draws who fails, who is away, whose link flaps. One thing does not shift the draws of another: each has a chance of
 * its own. What comes later in a list holds for a device that both name.
 * @throws FlotillaError `usage` for a selector that is malformed or means nobody
 */
export function assignBehaviour(model: FleetModel, fleet: Fleet, seed: number): FleetBehaviour {
  const known = new Map<string, Behaviour>();
  const assign = <T extends Who>(name: string, list: readonly T[] | undefined, behave: (item: T) => Behaviour) => {
    for (const [index, item] of (list ?? []).entries()) {
      const place = `${name}[${index}]`;
      for (const id of chosen(item, fleet, new Chance(seed + hashOf(place)), place)) {
        known.set(id, { ...known.get(id), ...behave(item) });
      }
    }
  };
  assign('failures', model.failures, ({ as = 'rolled-back', reason = reasons[as] }) => ({ failure: { as, reason } }));
  assign('offline', model.offline, (item) => ({ awayFor: item.for ?? forGood }));
  assign('flapping', model.flapping, ({ up = defaultFlapping.up, down = defaultFlapping.down }) => ({
    flapping: { up, down },
  }));
  assign('deferring', model.deferring, (item) => ({ deferral: item.for ?? defaultDeferral }));
  return { takes: { ...defaultTakes, ...model.takes }, of: (id) => known.get(id) ?? plain };
}

function chosen({ devices, share = 1 }: Who, fleet: Fleet, chance: Chance, place: string): string[] {
  const ids = devices === undefined ? fleet.devices.map(({ id }) => id) : fleet.select(devices);
  if (ids.length > 0) return chance.part(ids, share);
  throw new FlotillaError('usage', 'simulation-none-matched', `${place}.devices matches no device of the fleet`, {
    seen: devices ?? '*',
    suggestion: 'what is injected nowhere proves nothing: mend the selector or the fleet',
  });
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const character of text) hash = Math.imul(hash ^ character.codePointAt(0)!, 0x01000193) >>> 0;
  return hash;
}
