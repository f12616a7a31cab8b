import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { runChaos } from '../soak/chaos/chaos.ts';

const hasSqlite = (await execa('sqlite3', ['-version'], { reject: false })).exitCode === 0;

/** Thirty seconds of what `npm run soak -- chaos` does for five minutes with forty agents. */
describe('chaos', () => {
  it.skipIf(!hasSqlite)(
    'loses no confirmed event and stores none twice, whoever is killed and whatever the network does',
    async () => {
      const report = await runChaos({
        seed: 20_261_125,
        seconds: 30,
        agents: 4,
        events: 3_000,
        poison: 4,
        faultsPerSecond: 3,
        say: () => undefined,
      });
      expect(report.failures).toEqual([]);
      expect(report.comparison.confirmed).toBeGreaterThanOrEqual(3_000);
      expect(report.deadLetters.planted).toBeGreaterThan(0);
      expect(Object.keys(report.byState).length).toBeGreaterThan(5);
    },
    240_000,
  );
});
