/** `ca rotate` on a fleet that lives: the soak of two hundred, with a dozen. `npm run soak -- rotation --agents 200` is the whole. */
import { expect, it } from 'vitest';
import { runRotation } from '../soak/rotation/rotation.ts';

it('proves every device that is there on a new certificate, and those that were away when they return', async () => {
  const report = await runRotation({ agents: 12, away: 2, shortSeconds: 40, say: () => undefined });
  expect(report.problems).toEqual([]);
  expect(report).toMatchObject({ agents: 12, away: 2, expired: 1 });
});
