/** Whether programs fit on a host: asked before they are sent, since a full disk harms all that runs there. */
import { FlotillaError } from '../../error.ts';
import type { HostFacts } from './host-fact.ts';
import type { Parcel } from './upload.ts';

/** For configuration, identity and the first of the log. */
const restBytes = 8 * 1024 * 1024;

/** @throws FlotillaError `host-disk-full` */
export function requireRoom(
  { free }: Pick<HostFacts, 'free'>,
  parcels: readonly Pick<Parcel, 'bytes' | 'packedBytes'>[],
) {
  const unpacked = parcels.reduce((sum, { bytes }) => sum + bytes, 0);
  const packed = parcels.reduce((sum, { packedBytes }) => sum + packedBytes, 0);
  for (const [index, { path, bytes }] of free.entries()) {
    // The first is worked in, the last installed to.
    const needed = (index === 0 ? unpacked + packed : 0) + (index === free.length - 1 ? unpacked : 0) + restBytes;
    if (bytes >= needed) continue;
    throw new FlotillaError('failed', 'host-disk-full', 'the host has too little room for the agent', {
      seen: `${megabytes(bytes)} free at ${path}`,
      expected: `${megabytes(needed)}; some of it only while it is installed`,
      suggestion: 'make room there, and repeat the command',
    });
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
