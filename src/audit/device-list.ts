/** The devices that a row is about: a list that is bounded, and what stands for the rest of it. */
import { createHash } from 'node:crypto';

/** More are counted and hashed, not listed. */
export const maxListedDevices = 256;

export interface AuditDevices {
  count: number;
  /** In order, the first so many. */
  ids: string[];
  /** Of all ids in order, each with a line feed: only where the list is cut. SHA-256, hex. */
  sha256?: string;
}

export function listDevices(all: readonly string[]): AuditDevices {
  const sorted = [...new Set(all)].toSorted();
  if (sorted.length <= maxListedDevices) return { count: sorted.length, ids: sorted };
  return { count: sorted.length, ids: sorted.slice(0, maxListedDevices), sha256: digestDevices(sorted) };
}

export function digestDevices(sorted: readonly string[]): string {
  const hash = createHash('sha256');
  for (const id of sorted) hash.update(`${id}\n`);
  return hash.digest('hex');
}
