import { Type, type Static } from 'typebox';
import { FlotillaError } from '../error.ts';
import type { Target } from '../selector/index.ts';

/** A device as `flotilla device list --json` prints it, of which this is all that counts here. */
export const FleetDeviceSchema = Type.Object({
  id: Type.String({ pattern: '^[a-z0-9][a-z0-9._-]{0,62}$' }),
  state: Type.Optional(Type.String()),
  grains: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  tags: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  running: Type.Optional(Type.Object({ bundleUuid: Type.Optional(Type.String()) })),
  quarantinedBundles: Type.Optional(Type.Array(Type.String())),
});

/** So many devices of a kind: `id` with `{n}`, `grains` and `tags` with `{n}` or `{n%7}`. */
export const FleetKindSchema = Type.Object(
  {
    count: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
    id: Type.String({ maxLength: 63 }),
    grains: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    tags: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  },
  { additionalProperties: false },
);

export const FleetSchema = Type.Union([
  Type.Array(FleetDeviceSchema),
  Type.Object(
    {
      devices: Type.Optional(Type.Array(FleetDeviceSchema)),
      generate: Type.Optional(Type.Array(FleetKindSchema)),
      /** Selectors with names. */
      groups: Type.Optional(Type.Record(Type.String(), Type.String({ maxLength: 10_240 }))),
    },
    { additionalProperties: false },
  ),
]);
export type Fleet = Static<typeof FleetSchema>;

export interface FleetDevice extends Target {
  runningUuid?: string;
  quarantinedBundles: readonly string[];
}

const maxDevices = 1_000_000;

/**
 * The accepted devices of a fleet file, sorted by id.
 * @throws FlotillaError `usage` for an id twice, an id that is none, and for no or too many devices
 */
export function readFleet(fleet: Fleet): FleetDevice[] {
  const { devices = [], generate = [] } = Array.isArray(fleet) ? { devices: fleet } : fleet;
  const known = new Map<string, FleetDevice>();
  const add = (device: FleetDevice): void => {
    if (known.has(device.id)) throw wrongFleet(`${device.id} stands in the fleet twice`, device.id, 'an id a device');
    known.set(device.id, device);
    if (known.size > maxDevices) throw wrongFleet('too many devices', `${known.size}`, `at most ${maxDevices}`);
  };
  for (const { id, state, grains = {}, tags = {}, running, quarantinedBundles = [] } of devices) {
    if (state !== undefined && state !== 'accepted') continue;
    const uuid = running?.bundleUuid;
    add({ id, grains, tags, quarantinedBundles, ...(uuid === undefined ? {} : { runningUuid: uuid }) });
  }
  for (const { count, id, grains = {}, tags = {} } of generate) {
    for (let n = 1; n <= count; n += 1) {
      const own = String(fillIn(id, n, count));
      if (!/^[a-z0-9][a-z0-9._-]{0,62}$/.test(own)) throw wrongFleet('this is no device id', own, 'a-z, 0-9, ., _, -');
      add({
        id: own,
        grains: fillIn(grains, n, count) as Record<string, unknown>,
        tags: fillIn(tags, n, count) as Record<string, unknown>,
        quarantinedBundles: [],
      });
    }
  }
  if (known.size === 0) throw wrongFleet('the fleet has no accepted device', '0', 'devices or generate');
  return [...known.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

/** `{n}` is the device's number, with leading zeros so that ids sort by it; `{n%7}` is that number modulo 7. */
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

function wrongFleet(message: string, seen: string, expected: string): FlotillaError {
  return new FlotillaError('usage', 'fleet-malformed', message, { seen, expected });
}
