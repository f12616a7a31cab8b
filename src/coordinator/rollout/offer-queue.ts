import { PersistentList } from '../persistent-list.ts';
import type { TargetDevice } from './target-device.ts';

/**
 * Targets that the same limits hold back together: they have one value of the grain that is capped, and one zone. Those
 * of a queue are asked in their order, so that a limit that holds one of them back holds back all behind it, and nobody
 * walks over them at every event.
 */
export interface OfferQueue {
  /** Number of the group, by which its devices in flight are counted. */
  group: number;
  zone?: string;
  /** In the list of devices, ascending: a phase is a run of them. */
  positions: PersistentList<number>;
}

export interface OfferQueues {
  queues: readonly OfferQueue[];
  /** By group and zone. */
  byKey: ReadonlyMap<string, number>;
  groups: ReadonlyMap<string, number>;
}

export function createQueues(devices: Iterable<TargetDevice>): OfferQueues {
  const byKey = new Map<string, number>();
  const groups = new Map<string, number>();
  const drafts: { group: number; zone?: string; positions: number[] }[] = [];
  let position = 0;
  for (const device of devices) {
    const key = keyOf(device);
    let number = byKey.get(key);
    if (number === undefined) {
      const group = groups.get(device.group ?? '') ?? groups.size;
      groups.set(device.group ?? '', group);
      number = drafts.length;
      byKey.set(key, number);
      drafts.push({ group, ...(device.zone === undefined ? {} : { zone: device.zone }), positions: [] });
    }
    drafts[number]!.positions.push(position);
    position += 1;
  }
  const queues = drafts.map((draft) => ({ ...draft, positions: PersistentList.from(draft.positions) }));
  return { queues, byKey, groups };
}

export function queueOf({ byKey }: OfferQueues, device: TargetDevice): number {
  return byKey.get(keyOf(device)) ?? 0;
}

export function groupOf({ groups }: OfferQueues, device: TargetDevice): number {
  return groups.get(device.group ?? '') ?? 0;
}

/** The place in the queue of the first position that is not before this one. */
export function rankFrom({ positions }: OfferQueue, from: number): number {
  let low = 0;
  let high = positions.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (positions.at(middle) < from) low = middle + 1;
    else high = middle;
  }
  return low;
}

function keyOf({ group = '', zone = '' }: TargetDevice): string {
  return `${zone}\n${group}`;
}
