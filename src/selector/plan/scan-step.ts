import { DeviceSet } from './device-set.ts';
import type { Step } from './step.ts';

/** Tries each device of the set. What no index helps with comes last, when the set is as small as it gets. */
export function scanStep(test: (number: number) => boolean, effort: number): Step {
  return {
    effort,
    select: (within) => {
      const found = DeviceSet.withRoom(within.words.length * 32);
      within.forEach((number) => {
        if (test(number)) found.add(number);
      });
      return found;
    },
  };
}

/** Exactly these numbers. */
export function numberStep(numbers: readonly number[]): Step {
  return {
    effort: numbers.length,
    select: (within) => {
      const found = DeviceSet.withRoom(within.words.length * 32);
      for (const number of numbers) if (within.has(number)) found.add(number);
      return found;
    },
  };
}
