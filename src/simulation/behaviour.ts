import { FlotillaError } from '../error.ts';
import { parseSelector, selectIds, type Target } from '../selector/index.ts';
import type { Chance } from './chance.ts';
import { defaultDeferral, defaultFlapping, defaultTakes, type FailureEnd, type FleetModel } from './fleet-model.ts';
import { parseStretch, type ReadDuration, type Stretch } from './stretch.ts';

/** What a model means for one device. */
export interface Behaviour {
  failure?: { as: FailureEnd; reason: string };
  awayFor?: Stretch;
  flapping?: { up: Stretch; down: Stretch };
  deferral?: Stretch;
}

export interface FleetBehaviour {
  takes: Record<keyof typeof defaultTakes, Stretch>;
  of(deviceId: string): Behaviour;
}

const reasons: Record<FailureEnd, string> = {
  'rolled-back': 'health-failed',
  failed: 'install-failed',
  rejected: 'refused-by-device',
  silent: 'silent',
};
const plain: Behaviour = {};

/**
 * Draws who fails, who is away, whose link flaps. One thing does not shift the draws of another: each has a chance of its own.
 * @throws FlotillaError `usage` for a selector, a share or a length of time that is not one, and for one that means nobody
 */
export function assignBehaviour(
  model: FleetModel,
  fleet: readonly Target[],
  { chanceOf, seconds, nowMs }: { chanceOf(name: string): Chance; seconds: ReadDuration; nowMs: number },
): FleetBehaviour {
  const known = new Map<string, Behaviour>();
  const stretch = (value: string | number | undefined, otherwise: string, place: string): Stretch =>
    parseStretch(String(value ?? otherwise), place, seconds);
  const assign = <T extends Who>(
    name: string,
    list: readonly T[] = [],
    behave: (item: T, place: string) => Behaviour,
  ) => {
    for (const [index, item] of list.entries()) {
      const place = `${name}[${index}]`;
      const behaviour = behave(item, place);
      for (const id of chosen(item, fleet, chanceOf(place), place, nowMs)) {
        known.set(id, { ...known.get(id), ...behaviour });
      }
    }
  };
  assign('failures', model.failures, ({ as = 'rolled-back', reason }) => ({
    failure: { as, reason: reason ?? reasons[as] },
  }));
  assign('offline', model.offline, (item, place) => ({ awayFor: stretch(item.for, 'forever', `${place}.for`) }));
  assign('flapping', model.flapping, ({ up, down }, place) => ({
    flapping: {
      up: stretch(up, defaultFlapping.up, `${place}.up`),
      down: stretch(down, defaultFlapping.down, `${place}.down`),
    },
  }));
  assign('deferring', model.deferring, (item, place) => ({
    deferral: stretch(item.for, defaultDeferral, `${place}.for`),
  }));
  const takes = Object.fromEntries(
    Object.entries(defaultTakes).map(([step, otherwise]) => [
      step,
      stretch(model.takes?.[step as keyof typeof defaultTakes], otherwise, `takes.${step}`),
    ]),
  ) as FleetBehaviour['takes'];
  return { takes, of: (id) => known.get(id) ?? plain };
}

interface Who {
  devices?: string;
  share?: string;
}

function chosen(who: Who, fleet: readonly Target[], chance: Chance, place: string, nowMs: number): string[] {
  const ids =
    who.devices === undefined ? fleet.map(({ id }) => id) : selectIds(parseSelector(who.devices), fleet, nowMs);
  if (ids.length === 0) {
    throw new FlotillaError('usage', 'simulation-none-matched', `${place}.devices matches no device of the fleet`, {
      seen: who.devices ?? '*',
      suggestion: 'a failure that is injected nowhere proves nothing; mend the selector or the fleet',
    });
  }
  const share = who.share === undefined ? 1 : Number.parseFloat(who.share) / 100;
  if (share <= 1) return chance.part(ids, share);
  throw new FlotillaError('usage', 'share-malformed', `${place}.share is not a share`, {
    seen: who.share ?? '',
    expected: '0% to 100%',
  });
}
