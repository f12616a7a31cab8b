import { isFailure, isInFlight, isOpen, isSuccess, type TargetDevice } from './target-device.ts';

/** What the gates look at, of a phase or of a whole rollout. Kept up to date with each change of a device. */
export interface Tally {
  targets: number;
  waiting: number;
  /** May be offered. */
  queued: number;
  /** Offered or further, not ended. */
  inFlight: number;
  /** Were offered it and have ended, but were not cancelled: the denominator of every share. */
  ended: number;
  failures: number;
  successes: number;
  /** Successes that were offered it. */
  proven: number;
}

export const emptyTally: Tally = {
  targets: 0,
  waiting: 0,
  queued: 0,
  inFlight: 0,
  ended: 0,
  failures: 0,
  successes: 0,
  proven: 0,
};

/** One device's part in the tally of its phase. */
export function tallyOf(device: TargetDevice): Tally {
  const { state, attempts } = device;
  return {
    targets: 1,
    waiting: state === 'waiting' ? 1 : 0,
    queued: state === 'queued' ? 1 : 0,
    inFlight: isInFlight(state) ? 1 : 0,
    ended: attempts > 0 && !isOpen(state) && state !== 'cancelled' ? 1 : 0,
    failures: isFailure(device) ? 1 : 0,
    successes: isSuccess(state) ? 1 : 0,
    proven: state === 'committed' ? 1 : 0,
  };
}

export function addTally(sum: Tally, part: Tally, sign: 1 | -1 = 1): Tally {
  return {
    targets: sum.targets + sign * part.targets,
    waiting: sum.waiting + sign * part.waiting,
    queued: sum.queued + sign * part.queued,
    inFlight: sum.inFlight + sign * part.inFlight,
    ended: sum.ended + sign * part.ended,
    failures: sum.failures + sign * part.failures,
    successes: sum.successes + sign * part.successes,
    proven: sum.proven + sign * part.proven,
  };
}

export function sumTallies(tallies: readonly Tally[]): Tally {
  return tallies.reduce((sum, part) => addTally(sum, part), emptyTally);
}

/** Of each phase. */
export function tallyPhases(devices: Iterable<TargetDevice>, phases: number): Tally[] {
  const tallies = Array.from({ length: phases }, () => emptyTally);
  for (const device of devices) tallies[device.phase] = addTally(tallies[device.phase] ?? emptyTally, tallyOf(device));
  return tallies;
}
