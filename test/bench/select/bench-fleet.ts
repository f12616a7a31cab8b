import { newDevice } from '../../../src/coordinator/registry/reduce-device.ts';
import type { DeviceRow } from '../../../src/store/row.ts';

/** A source of numbers that is the same every time. Mulberry32. */
export function chance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const sites = ['fra', 'zrh', 'ber', 'lis', 'osl', 'waw', 'mad', 'dub', 'hel', 'vie', 'ams', 'prg'];
const kinds = ['web', 'db', 'gw', 'cam', 'meter'];
const systems = [
  { os: 'Debian', os_family: 'Debian', osmajorrelease: 12, osrelease: '12.5' },
  { os: 'Debian', os_family: 'Debian', osmajorrelease: 13, osrelease: '13.1' },
  { os: 'Alpine', os_family: 'Alpine', osmajorrelease: 3, osrelease: '3.20.1' },
  { os: 'Buildroot', os_family: 'Buildroot', osmajorrelease: 2026, osrelease: '2026.02' },
];
const versions = ['2.0.4', '2.1.0', '2.1.3', '2.2.0', '2.10.1', '3.0.0'];
const nginx = ['1.22.1', '1.24.0', '1.26.2'];
const roles = [['web', 'edge'], ['db'], ['gateway', 'edge'], ['camera'], ['meter', 'edge']];

/**
 * Device `n` of a fleet with 18 grains of the shape that a Salt fleet has: few values, some with one value for each
 * device (addresses, a serial number), lists, and maps two levels deep. Text as it stands in a store.
 */
export function deviceJson(n: number): string {
  const random = chance(n + 1);
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
  const kind = n % kinds.length;
  const site = pick(sites);
  const id = `${kinds[kind]}-${String(n).padStart(7, '0')}.${site}`;
  const high = 16 + (n >>> 16);
  const grains = {
    id,
    ...pick(systems),
    kernel: 'Linux',
    cpuarch: pick(['x86_64', 'aarch64', 'armv7l']),
    num_cpus: pick([1, 2, 4, 8]),
    mem_total: pick([512, 1_024, 1_968, 3_926, 7_844]),
    roles: roles[kind],
    site,
    city: pick(['Zürich', 'Frankfurt', 'São Paulo', 'Oslo']),
    virtual: random() < 0.2,
    ipv4: ['127.0.0.1', `10.${high}.${(n >>> 8) & 255}.${n & 255}`],
    ipv6: ['::1', `2001:db8:${high}::${n.toString(16)}`],
    fw: { version: pick(versions), channel: pick(['stable', 'beta', 'canary']), slots: ['A', 'B'] },
    load: Math.floor(random() * 80) / 10,
    pkgs: { nginx: { version: pick(nginx), ports: [80, 443] }, openssl: { version: pick(['3.0.11', '3.0.15']) } },
    serial: `SN-${(Math.imul(n, 2_654_435_761) >>> 0).toString(36).padStart(7, '0')}`,
  };
  return JSON.stringify({
    id,
    grains,
    tags: { ring: pick(['canary', 'early', 'rest']), tier: pick(['gold', 'silver']) },
  });
}

/** As it comes from the store. */
export function readDevice(json: string): DeviceRow {
  const read = JSON.parse(json) as Pick<DeviceRow, 'id' | 'grains' | 'tags'>;
  return { ...newDevice(read.id, 'accepted', 0), ...read };
}

/** The same device after its load, or now and then its firmware, has changed. */
export function changed(target: DeviceRow, random: () => number): DeviceRow {
  const { grains } = target;
  if (random() < 0.9) return { ...target, grains: { ...grains, load: Math.floor(random() * 80) / 10 } };
  const fw = { ...(grains['fw'] as object), version: versions[Math.floor(random() * versions.length)] };
  return { ...target, grains: { ...grains, fw } };
}
