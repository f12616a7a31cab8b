import type { Dice } from '../dice.ts';

/** One thing that goes wrong. Connections and processes are picked by a share of those that live at that moment. */
export type Fault =
  /** Both ends of a connection see it closed. */
  | { kind: 'cut'; pick: number }
  /** Nothing passes for a while, then all of it. */
  | { kind: 'stall'; pick: number; ms: number }
  /** Of the next bytes of the device a part arrives, then the connection is gone. */
  | { kind: 'halve'; pick: number; share: number }
  /** The device sees its connection closed; the coordinator gets its last bytes late, after those of the next one. */
  | { kind: 'ghost'; pick: number; ms: number }
  /** Nobody gets through for a while. */
  | { kind: 'refuse'; ms: number }
  | { kind: 'kill-agent'; pick: number; downMs: number }
  | { kind: 'kill-gateway'; pick: number }
  | { kind: 'kill-core'; downMs: number }
  | { kind: 'kill-handler' };

export interface Planned {
  atMs: number;
  fault: Fault;
}

/** Out of a hundred. */
const weights: readonly [Fault['kind'], number][] = [
  ['cut', 22],
  ['stall', 14],
  ['halve', 16],
  ['ghost', 14],
  ['refuse', 3],
  ['kill-agent', 18],
  ['kill-gateway', 5],
  ['kill-core', 4],
  ['kill-handler', 4],
];

/** All of it is decided before the first event: the same seed plans the same faults at the same times. */
export function planFaults(dice: Dice, option: { durationMs: number; faultsPerSecond: number }): Planned[] {
  const planned: Planned[] = [];
  const meanMs = 1_000 / option.faultsPerSecond;
  for (let atMs = meanMs; atMs < option.durationMs; atMs += meanMs * (0.25 + 1.5 * dice.share())) {
    planned.push({ atMs: Math.round(atMs), fault: draw(dice) });
  }
  return planned;
}

function draw(dice: Dice): Fault {
  let left = dice.share() * 100;
  const kind = weights.find(([, weight]) => (left -= weight) < 0)?.[0] ?? 'cut';
  const pick = dice.share();
  switch (kind) {
    case 'cut':
    case 'kill-gateway':
      return { kind, pick };
    case 'stall':
      return { kind, pick, ms: 200 + dice.below(2_800) };
    case 'halve':
      return { kind, pick, share: dice.share() };
    case 'ghost':
      return { kind, pick, ms: 300 + dice.below(1_700) };
    case 'refuse':
      return { kind, ms: 200 + dice.below(1_300) };
    case 'kill-agent':
      return { kind, pick, downMs: dice.below(1_500) };
    case 'kill-core':
      return { kind, downMs: dice.below(1_000) };
    case 'kill-handler':
      return { kind };
  }
}
