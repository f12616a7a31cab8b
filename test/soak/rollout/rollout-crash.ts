/**
 * A coordinator that is killed with -9 in the middle of a rollout, again and again: what comes out is what comes out of
 * one that nobody killed, to the last device.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { isDeepStrictEqual } from 'node:util';
import { execa } from 'execa';
import type { Rollout } from '../../../src/client/contract/index.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { Dice } from '../dice.ts';

/** Things that happen before a kill, at most. */
const maxThings = 24;

export interface CrashReport {
  seed: number;
  kills: number;
  rollouts: number;
  outcome: unknown;
  problems: string[];
}

export async function crashRollout({ points, seed }: { points: number; seed: number }): Promise<CrashReport> {
  const dice = new Dice(seed);
  const { outcome } = await runOnce(() => undefined);
  const report: CrashReport = { seed, kills: 0, rollouts: 0, outcome, problems: [] };
  while (report.kills < points) {
    const run = await runOnce(
      () => {
        const left = points - report.kills;
        if (left <= 0) return undefined;
        return dice.below(maxThings);
      },
      () => (report.kills += 1),
    );
    report.rollouts += 1;
    if (!isDeepStrictEqual(run.outcome, outcome)) {
      report.problems.push(`rollout ${report.rollouts}: ${JSON.stringify(run.outcome)}`);
      break;
    }
  }
  return report;
}

/** @param nextKill after how many things the process that begins now is killed; undefined: not at all */
async function runOnce(
  nextKill: () => number | undefined,
  killed: () => void = () => undefined,
): Promise<{ outcome: unknown }> {
  await using directory = await temporaryDirectory();
  for (let mode = ['setup']; ; mode = []) {
    if (await runCore(directory.path, mode, nextKill(), killed)) break;
  }
  return { outcome: told(JSON.parse(await readFile(join(directory.path, 'outcome.json'), 'utf8')) as Rollout) };
}

/** True when it came to its end. */
async function runCore(
  folder: string,
  mode: string[],
  killAfter: number | undefined,
  killed: () => void,
): Promise<boolean> {
  const core = execa(process.execPath, [join(import.meta.dirname, 'crash-core.ts'), folder, ...mode], {
    reject: false,
    buffer: false,
    stdout: 'pipe',
    stderr: 'inherit',
  });
  // A folder that is not set up has nothing to come back to.
  let counts = mode.length === 0;
  let things = 0;
  for await (const line of createInterface({ input: core.stdout })) {
    if (line === 'set up') counts = true;
    else if (counts) things += 1;
    if (counts && things === killAfter && core.kill('SIGKILL')) break;
  }
  const { exitCode, signal } = await core;
  if (signal === 'SIGKILL') killed();
  else if (exitCode !== 0) throw new Error(`the core ended with ${exitCode ?? signal}`);
  return signal !== 'SIGKILL';
}

/** All of it but times. */
function told({ state, phases, counts, devices = [] }: Rollout): unknown {
  return {
    state,
    phases,
    counts,
    devices: devices.map(({ deviceId, phase, state: own, attempts, retries = 0, reason }) => [
      deviceId,
      phase,
      own,
      attempts,
      retries,
      reason?.code ?? '',
    ]),
  };
}
