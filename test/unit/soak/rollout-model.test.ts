import { expect, it } from 'vitest';
import { checkRolloutModel } from '../../soak/rollout/rollout-model.ts';

it('keeps a rollout to the model in 500 sequences of commands and events', () => {
  const { sequences, offers, endings } = checkRolloutModel({ runs: 500, seed: 20_261_126 });
  expect(sequences).toBe(500);
  expect(offers).toBeGreaterThan(500);
  expect((endings['completed'] ?? 0) + (endings['goes on'] ?? 0)).toBeGreaterThan(50);
});
