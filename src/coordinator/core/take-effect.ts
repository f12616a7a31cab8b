import type { Effect } from '../effect.ts';
import type { Turn } from './turn.ts';

/** Stores rows at once, before the document that they belong to; leaves everything else to settle.ts. */
export function takeEffects(turn: Turn, kind: 'job-device' | 'rollout-device', effects: readonly Effect[]): void {
  for (const effect of effects) {
    if (effect.kind !== 'member') {
      turn.effects.push(effect);
      continue;
    }
    turn.write({ kind, member: effect.member });
    turn.notify({ kind, member: effect.member });
  }
}
