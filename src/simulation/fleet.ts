import { FlotillaError } from '../error.ts';
import { noGroups, parseSelector, selectIds, type GroupSource, type Target } from '../selector/index.ts';

export interface FleetDevice extends Target {
  /** Of the bundle that it runs; one of an older release when it is not said. */
  runningUuid?: string;
}

/** So many devices of a kind; `{n}` in texts is the number of each, `{n%7}` that number modulo 7. */
export interface DeviceKind {
  count: number;
  id: string;
  grains?: Record<string, unknown>;
  tags?: Record<string, unknown>;
}

/** A fleet in memory, its devices sorted by id. */
export interface Fleet {
  devices: readonly FleetDevice[];
  /** Ids that match. @throws FlotillaError for a selector that is not valid */
  select(selector: string): string[];
}

const maxDevices = 1_000_000;
const idPattern = /^[a-z0-9][a-z0-9._-]{0,62}$/;

/** @throws FlotillaError `usage` for an id twice, an id that is none, and for no or too many devices */
export function createFleet(
  devices: readonly FleetDevice[],
  kinds: readonly DeviceKind[],
  { groups = noGroups, nowMs }: { groups?: GroupSource; nowMs: number },
): Fleet {
  const known = new Map<string, FleetDevice>();
  const add = (device: FleetDevice): void => {
    const { id } = device;
    if (!idPattern.test(id)) throw malformed('this is no device id', id, 'a-z, 0-9, ., _ and -, at most 63');
    if (known.has(id)) throw malformed('an id stands in the fleet twice', id, 'each id once');
    known.set(id, device);
    if (known.size > maxDevices) throw malformed('too many devices', `${known.size}`, `at most ${maxDevices}`);
  };
  for (const device of devices) add(device);
  for (const { count, id, grains = {}, tags = {} } of kinds) {
    for (let n = 1; n <= count; n += 1) {
      add({
        id: String(fillIn(id, n, count)),
        grains: fillIn(grains, n, count) as Record<string, unknown>,
        tags: fillIn(tags, n, count) as Record<string, unknown>,
      });
    }
  }
  if (known.size === 0) throw malformed('the fleet has no device', '0', 'devices, or kinds to generate');
  const sorted = [...known.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
  return { devices: sorted, select: (selector) => selectIds(parseSelector(selector, groups), sorted, nowMs) };
}

/** Tags as the coordinator has them: texts. */
export function textTags({ tags }: FleetDevice): Record<string, string> {
  return Object.fromEntries(Object.entries(tags).map(([name, value]) => [name, String(value)]));
}

/** `{n}` has leading zeros, so that ids sort by it. */
function fillIn(value: unknown, n: number, count: number): unknown {
  if (typeof value === 'string') {
    return value
      .replaceAll(/\{n%([1-9]\d*)\}/g, (_, by: string) => String(n % Number(by)))
      .replaceAll('{n}', String(n).padStart(String(count).length, '0'));
  }
  if (Array.isArray(value)) return value.map((item) => fillIn(item, n, count));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, fillIn(item, n, count)]));
}

function malformed(message: string, seen: string, expected: string): FlotillaError {
  return new FlotillaError('usage', 'fleet-malformed', message, { seen, expected });
}
