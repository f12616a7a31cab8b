import { expect, it } from 'vitest';
import { runJobs } from '../soak/jobs/jobs.ts';

/** Thirty runs of what `npm run soak -- jobs` does three hundred times. */
it('runs a job once on each device, whoever is killed with -9 at whatever moment', async () => {
  const report = await runJobs({ seed: 9, runs: 30, agents: 2, say: () => undefined });
  expect(report.failures).toEqual([]);
  expect([report.runs, report.lines.more]).toEqual([30, 0]);
  expect(report.lines.one).toBeGreaterThan(0);
  expect(report.blows.core + report.blows.agent).toBeGreaterThan(0);
}, 120_000);
