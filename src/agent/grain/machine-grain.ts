import { arch, availableParallelism, hostname, networkInterfaces, platform, release, totalmem } from 'node:os';

export type Grains = Record<string, unknown>;

/** What the operating system says of the machine. */
export function machineGrains(): Grains {
  const { ipv4, ipv6 } = machineAddresses();
  return {
    os: platform(),
    arch: arch(),
    kernel: release(),
    hostname: hostname(),
    mem_mb: Math.round(totalmem() / 1_048_576),
    cpus: availableParallelism(),
    timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    ipv4,
    ipv6,
  };
}

/** Addresses of all interfaces but loopback, sorted, so that an order that changes is no change. */
function machineAddresses(): { ipv4: string[]; ipv6: string[] } {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const of = (family: 'IPv4' | 'IPv6') =>
    [
      ...new Set(all.filter((entry) => entry.family === family && !entry.internal).map(({ address }) => address)),
    ].sort();
  return { ipv4: of('IPv4'), ipv6: of('IPv6') };
}
