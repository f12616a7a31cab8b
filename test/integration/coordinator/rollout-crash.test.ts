import { expect, it } from 'vitest';
import { crashRollout } from '../../soak/rollout/rollout-crash.ts';

it('comes to the same end though its coordinator is killed at 20 seeded points', { timeout: 600_000 }, async () => {
  const { kills, problems, outcome } = await crashRollout({ points: 20, seed: 11 });
  expect(problems).toEqual([]);
  expect(kills).toBe(20);
  expect(outcome).toMatchObject({ state: 'completed', counts: { committed: 10, 'rolled-back': 2 } });
});
