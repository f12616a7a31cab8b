import { createHash } from 'node:crypto';

/**
 * When each device starts: evenly over the ramp, in the order of the digests of the ids, so that neighbours in name or
 * site are spread and the same devices come first every time.
 * @returns by the order of `ids`, milliseconds after the start of the job
 */
export function rampOffsets(ids: readonly string[], rampMs: number): number[] {
  const digests = ids.map((id) => createHash('sha256').update(id).digest('hex'));
  const order = ids.map((_, position) => position).toSorted((a, b) => (digests[a]! < digests[b]! ? -1 : 1));
  const ranks = new Map(order.map((position, rank) => [position, rank]));
  return ids.map((_, position) => Math.round((ranks.get(position)! * rampMs) / ids.length));
}
