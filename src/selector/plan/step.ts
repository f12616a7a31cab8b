import type { DeviceSet } from './device-set.ts';

/** One part of a plan, bound to an index as it stands: not to be kept across a change. */
export interface Step {
  /** Values or devices that have to be looked at one by one, at worst. Steps with less go first. */
  effort: number;
  /** Which of `within` match, as a set of its own. */
  select(within: DeviceSet): DeviceSet;
}

/** How much slower a regex or a walk through a record is than a look at a code. */
export const testEffort = { text: 1, walk: 10 } as const;
