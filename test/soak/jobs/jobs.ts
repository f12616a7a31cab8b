/**
 * Jobs that append one line to a file, on real agents, while -9 hits the core, the gateway, the command line, an agent
 * or the command's own process at seeded moments. The oracle is the file: one line; or none, when the device never ran
 * it; one or none when the job says that it does not know. Never two.
 */
import { mkdir, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DeviceResult, Job } from '../../../src/client/contract/index.ts';
import { CoordinatorClient } from '../../../src/client/coordinator-client.ts';
import { HttpConnection } from '../../../src/client/http-connection.ts';
import { loadCoordinatorConfig } from '../../../src/config/index.ts';
import { start } from '../../support/cli.ts';
import { eventually } from '../../support/eventually.ts';
import { createFleet, type TestAgent, type TestFleet } from '../../support/fleet.ts';
import { Dice } from '../dice.ts';

export interface JobsOption {
  seed: number;
  runs: number;
  agents: number;
  say(text: string): void;
}

const victims = ['core', 'gateway', 'command-line', 'agent', 'command'] as const;
type Victim = (typeof victims)[number];

/** Of one run: what is hit, so long after the command line was started. */
interface Blow {
  victim: Victim;
  afterMs: number;
  /** Which agent, or the command of which agent. */
  agent: number;
}

interface Failure {
  run: number;
  seed: number;
  device?: string;
  reason: string;
}

export interface JobsReport {
  seed: number;
  runs: number;
  agents: number;
  seconds: number;
  blows: Record<Victim, number>;
  /** Blows that found nobody: the command had ended, or the command line had. */
  missed: number;
  /** Devices by how they ended; `no job`: the command line was hit before it had asked. */
  byState: Record<string, number>;
  lines: { none: number; one: number; more: number };
  failures: Failure[];
}

/** With these outcomes the file may hold so many lines. */
const allowed: Record<string, readonly number[]> = {
  succeeded: [1],
  // The command itself was hit: perhaps before it had written.
  failed: [0, 1],
  unknown: [0, 1],
  'timed-out': [0, 1],
  expired: [0],
  rejected: [0],
  cancelled: [0],
};
/** A device that comes back at once, so that runs are short. */
const quick = (yaml: string): string =>
  yaml.replace(/firstMinMs: 200.*}/, 'firstMinMs: 50, firstMaxMs: 300, factor: 2, maxMs: 600 }');
const longestMs = 1_200;
const endMs = 60_000;

export async function runJobs({ seed, runs, agents: count, say }: JobsOption): Promise<JobsReport> {
  const beganMs = performance.now();
  await using fleet = await createFleet({ gateways: 1 });
  const config = await loadCoordinatorConfig(join(fleet.dir, 'coordinator.yaml'));
  const client = new CoordinatorClient(new HttpConnection(config.socket));
  const agents: TestAgent[] = [];
  for (let n = 0; n < count; n += 1) agents.push(await fleet.addAgent(`d-${n}`, { configure: quick }));
  for (const { id } of agents) await fleet.connected(id);
  const report: JobsReport = {
    seed,
    runs: 0,
    agents: count,
    seconds: 0,
    blows: { core: 0, gateway: 0, 'command-line': 0, agent: 0, command: 0 },
    missed: 0,
    byState: {},
    lines: { none: 0, one: 0, more: 0 },
    failures: [],
  };
  const folder = join(fleet.scratch, 'lines');
  await mkdir(folder);
  for (let run = 0; run < runs; run += 1) {
    // Each run has dice of its own: `--seed SEED+RUN --points 1` is that run again.
    const dice = new Dice(seed + run);
    const known = report.failures.length;
    const bench = { fleet, client, agents, folder: join(folder, String(run)), report };
    await mkdir(bench.folder);
    try {
      await oneRun(bench, run, dice);
    } catch (error) {
      report.failures.push({ run, seed: seed + run, reason: error instanceof Error ? error.message : String(error) });
    }
    report.runs += 1;
    for (const { device = '', reason } of report.failures.slice(known)) say(`run ${run} ${device}: ${reason}`);
    if (run % 10 === 9) say(`${run + 1} runs, ${report.failures.length} failures`);
  }
  // A command that came back to life much later would show now.
  for (let run = 0; run < runs; run += 1) {
    for (const { id } of agents) {
      const lines = await linesOf(join(folder, String(run), id));
      report.lines[lines === 0 ? 'none' : lines === 1 ? 'one' : 'more'] += 1;
      if (lines > 1) report.failures.push({ run, seed: seed + run, device: id, reason: `${lines} lines in the end` });
    }
  }
  report.seconds = Math.round((performance.now() - beganMs) / 1_000);
  return report;
}

interface Bench {
  fleet: TestFleet;
  client: CoordinatorClient;
  agents: readonly TestAgent[];
  folder: string;
  report: JobsReport;
}

function blowsOf(dice: Dice, agents: number): Blow[] {
  return Array.from({ length: 1 + dice.below(2) }, () => ({
    victim: victims[dice.below(victims.length)]!,
    afterMs: dice.below(longestMs),
    agent: dice.below(agents),
  })).toSorted((a, b) => a.afterMs - b.afterMs);
}

async function oneRun(bench: Bench, run: number, dice: Dice): Promise<void> {
  const { fleet, client, agents, folder, report } = bench;
  const command = [
    'sh',
    '-c',
    'sleep "$2"; echo line >> "$1"; sleep "$2"',
    'sh',
    `${folder}/{{id}}`,
    `0.${dice.below(3)}`,
  ];
  const words = ['run', '*', '--timeout', '10s', '--expires', '20s', '--', ...command];
  const line = start(words, { cwd: fleet.scratch, env: { FLOTILLA_FLEET_DIR: fleet.dir } });
  let lineHasEnded = false;
  void line.then(() => (lineHasEnded = true));
  const beganMs = performance.now();
  let coreIsDown = false;
  const down = new Set<TestAgent>();
  for (const { victim, afterMs, agent } of blowsOf(dice, agents.length)) {
    await sleep(Math.max(0, afterMs - (performance.now() - beganMs)));
    report.blows[victim] += 1;
    const chosen = agents[agent]!;
    if (victim === 'core' && !coreIsDown) {
      coreIsDown = true;
      await fleet.killCoordinator();
    } else if (victim === 'gateway' && !coreIsDown) await killGateway(client);
    else if (victim === 'command-line' && !lineHasEnded) line.kill('SIGKILL');
    else if (victim === 'agent' && !down.has(chosen)) {
      down.add(chosen);
      await chosen.kill();
    } else if (victim === 'command' && (await killCommand(join(folder, chosen.id)))) continue;
    else report.missed += 1;
  }
  await Promise.all([...down].map((agent) => agent.restart()));
  if (coreIsDown) await fleet.startCoordinator();
  await line;
  const job = await jobOf(client, folder);
  if (job === undefined) {
    for (const { id } of agents) await judge(bench, run, id, undefined);
  } else {
    const ended = await eventually(
      `job ${job.id} has ended`,
      async () => {
        const shown = await client.job(job.id);
        return shown.state === 'finished' ? shown : undefined;
      },
      { timeoutMs: endMs, everyMs: 50 },
    );
    for (const result of ended.results ?? []) await judge(bench, run, result.deviceId, result);
  }
  for (const { id } of agents) await connected(client, id);
}

async function judge({ folder, report }: Bench, run: number, device: string, result: DeviceResult | undefined) {
  const lines = await linesOf(join(folder, device));
  const state = result?.outcome ?? 'no job';
  report.byState[state] = (report.byState[state] ?? 0) + 1;
  const may = result === undefined ? [0] : (allowed[state] ?? []);
  const hit = result?.outcome !== 'failed' || lines === 1 || result.signal !== undefined;
  if (may.includes(lines) && hit) return;
  const told = result === undefined ? '' : ` (${JSON.stringify(result)})`;
  const seed = report.seed + run;
  report.failures.push({ run, seed, device, reason: `${state} with ${lines} lines${told}` });
}

async function linesOf(path: string): Promise<number> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.split('\n').length - 1;
}

async function jobOf(client: CoordinatorClient, folder: string): Promise<Job | undefined> {
  const jobs = await client.jobs();
  return jobs.find(({ action }) => action.kind === 'command' && action.argv.some((each) => each.startsWith(folder)));
}

async function connected(client: CoordinatorClient, id: string): Promise<void> {
  await eventually(`${id} is connected`, async () => (await client.device(id)).connected, {
    timeoutMs: endMs,
    everyMs: 30,
  });
}

async function killGateway(client: CoordinatorClient): Promise<void> {
  const status = await client.status();
  for (const { pid } of status.gateways) killQuietly(pid);
}

/** The process that runs the command for this file, and its shell's children with it. */
async function killCommand(file: string): Promise<boolean> {
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const words = await readFile(`/proc/${entry}/cmdline`, 'utf8').catch(() => '');
    const program = await readlink(`/proc/${entry}/exe`).catch(() => '');
    if (!words.split('\0').includes(file) || /node/.test(program)) continue;
    killQuietly(Number(entry));
    return true;
  }
  return false;
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}
