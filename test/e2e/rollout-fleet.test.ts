/** A sample of `npm run soak -- rollout`, and what the command line says of that rollout while it stands and afterwards. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { RolloutReport, Why } from '../../src/client/contract/index.ts';
import { runRollout } from '../soak/rollout/rollout.ts';
import type { TestFleet } from '../support/fleet.ts';

async function whileHalted(fleet: TestFleet, id: string): Promise<void> {
  const report = (await fleet.cli(['rollout', 'report', id, '--json'])).json<RolloutReport>();
  const waiting = report.devices.find(({ attempts }) => attempts === 0)!;
  const why = await fleet.cli(['why', waiting.deviceId, '--json']);
  const { rules } = why.json<Why>();
  expect(rules.find(({ rule }) => rule === 'rollout')).toMatchObject({
    verdict: 'blocks',
    detail: expect.stringContaining(`${id} is halted: 1 of `),
  });
  const failed = report.devices.find(({ state }) => state === 'rolled-back')!;
  const cause = await fleet.cli(['why', failed.deviceId, '--rollout', id]);
  expect(cause.stdout).toMatch(/evidence +slot a → a, .*health 0 of 1: failed well/);
  expect(cause.stdout).toContain(`${failed.deviceId} did not get harbour-meter/2.0.0/stable, it is rolled-back`);
  const status = await fleet.cli(['rollout', 'status', id]);
  expect(status.stdout).toMatch(new RegExp(`^\\d rolled-back: health-check \\(.*${failed.deviceId}`, 'm'));
}

async function whenEnded(fleet: TestFleet, id: string): Promise<void> {
  const page = join(fleet.scratch, 'report.html');
  expect((await fleet.cli(['rollout', 'report', id, '--html', '--out', page])).exitCode).toBe(0);
  expect(await readFile(page, 'utf8')).toMatch(/^<!doctype html>[^]*<svg [^]*health-check[^]*<\/html>\n$/);
  const recording = join(fleet.scratch, 'recording.ndjson');
  const exported = await fleet.cli(['rollout', 'export', id, '--out', recording]);
  expect(exported.stderr).toMatch(/^\d+ steps of r-/);
  const replayed = await fleet.cli(['rollout', 'simulate', '--recording', recording]);
  expect(replayed.stdout).toMatch(new RegExp(`^${id}: \\d+ steps give the recorded outcome: completed`));
  expect(replayed.exitCode).toBe(0);
  const lines = (await readFile(recording, 'utf8')).split('\n');
  const cut = join(fleet.scratch, 'cut.ndjson');
  await writeFile(cut, lines.slice(0, 3).join('\n'));
  expect((await fleet.cli(['rollout', 'simulate', '--recording', cut])).exitCode).toBe(2);
}

describe('a rollout to real agents', () => {
  it('halts where its policy says, ends as it must, and reports what the agents say themselves', async () => {
    const seen: string[] = [];
    const report = await runRollout({
      agents: 8,
      seed: 3,
      gateways: 1,
      deadlineSeconds: 30,
      say() {},
      async onStop(fleet, id, state) {
        seen.push(state);
        await (state === 'halted' ? whileHalted(fleet, id) : whenEnded(fleet, id));
      },
    });
    expect(report.problems).toEqual([]);
    expect(report).toMatchObject({
      counts: { 'rolled-back': 2, 'timed-out': 1 },
      halts: [{ failures: 1, limit: 1, begunAfterwards: 0 }],
    });
    expect(seen).toEqual(['halted', 'ended']);
  });
});
