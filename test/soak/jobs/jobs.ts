/**
 * Jobs that append one line to a file, on real agents, while -9 hits the core, the gateway, the command line, an agent
 * or the command's own process at seeded moments. The oracle is the file: one line; or none, when the device never ran
 * it; one or none when the job says that it does not know. Never two. Several jobs are under way at once, each at another
 * point of its life when a blow comes.
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
  /** Jobs that run at the same time, and share the blows. */
  together?: number;
  say(text: string): void;
}

const victims = ['core', 'gateway', 'command-line', 'agent', 'command'] as const;
type Victim = (typeof victims)[number];

/** What is hit, so long after its round has begun. */
interface Blow {
  victim: Victim;
  afterMs: number;
  /** The job whose command line, or command, is hit. */
  run: number;
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
/** A device that comes back at once, so that rounds are short, and that takes all jobs of one at the same time. */
const quick = (yaml: string): string =>
  yaml
    .replace(/firstMinMs: 200.*}/, 'firstMinMs: 50, firstMaxMs: 300, factor: 2, maxMs: 600 }')
    .replace('maxConcurrent: 4', 'maxConcurrent: 64');
const defaultTogether = 15;
/** Of a round: when its last job begins, and its last blow comes. */
const startsMs = 1_000;
const longestMs = 1_500;
const blowsEach = 4;
/** Every fourth job is started by a command line. */
const lineEvery = 4;
const endMs = 60_000;

export async function runJobs({
  seed,
  runs,
  agents: count,
  together = defaultTogether,
  say,
}: JobsOption): Promise<JobsReport> {
  const beganMs = performance.now();
  await using fleet = await createFleet({ gateways: 1 });
  const config = await loadCoordinatorConfig(join(fleet.dir, 'coordinator.yaml'));
  const client = new CoordinatorClient(new HttpConnection(config.socket));
  const agents: TestAgent[] = [];
  for (let n = 0; n < count; n += 1) agents.push(await fleet.addAgent(`d-${n}`, { configure: quick }));
  for (const { id } of agents) await connected(client, id);
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
  const bench: Bench = { fleet, client, agents, folder, report };
  for (let first = 0; first < runs; first += together) {
    const known = report.failures.length;
    const round = Array.from({ length: Math.min(together, runs - first) }, (_, n) => first + n);
    for (const run of round) await mkdir(folderOf(bench, run), { recursive: true });
    try {
      await oneRound(bench, round, new Dice(seed + first));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      report.failures.push({ run: first, seed: seed + first, reason });
    }
    report.runs += round.length;
    for (const { run, device = '', reason } of report.failures.slice(known)) say(`run ${run} ${device}: ${reason}`);
    say(`${report.runs} runs, ${report.failures.length} failures`);
  }
  // A command that came back to life much later would show now.
  for (let run = 0; run < runs; run += 1) {
    for (const { id } of agents) {
      const lines = await linesOf(join(folderOf(bench, run), id));
      report.lines[lines === 0 ? 'none' : lines === 1 ? 'one' : 'more'] += 1;
      if (lines > 1) report.failures.push({ run, seed, device: id, reason: `${lines} lines in the end` });
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

function folderOf({ folder }: Bench, run: number): string {
  return join(folder, String(run));
}

/** One of each kind of victim at most that takes long to come back, and the command line of none that has none. */
function blowsOf(dice: Dice, lines: readonly number[], round: readonly number[], agents: number): Blow[] {
  const blows = Array.from({ length: blowsEach }, () => {
    const victim = dice.of(victims);
    const of = victim === 'command-line' ? lines : round;
    return { victim, afterMs: dice.below(longestMs), run: dice.of(of), agent: dice.below(agents) };
  });
  return blows.toSorted((a, b) => a.afterMs - b.afterMs);
}

type CommandLine = ReturnType<typeof start>;

/** Some jobs by a real command line, the others by the same request from here. */
function startJob(
  { fleet, client }: Bench,
  command: string[],
  isLine: boolean,
): { line?: CommandLine; started: Promise<unknown> } {
  if (isLine) {
    const words = ['run', '*', '--timeout', '10s', '--expires', '20s', '--', ...command];
    const line = start(words, { cwd: fleet.scratch, env: { FLOTILLA_FLEET_DIR: fleet.dir } });
    return { line, started: line };
  }
  const action = { kind: 'command' as const, argv: command };
  const asked = client.startJob({ selector: '*', action, timeoutSeconds: 10, expiresSeconds: 20 });
  // Whether it was stored before the core was hit is read from the list of jobs.
  return { started: asked.catch(() => undefined) };
}

async function oneRound(bench: Bench, round: readonly number[], dice: Dice): Promise<void> {
  const { fleet, client, agents, report } = bench;
  const lines = round.filter((_, n) => n % lineEvery === 0);
  const living = new Map<number, CommandLine>();
  /** Once the core, if it was hit, is back. */
  let up: Promise<void> = Promise.resolve();
  const begun = round.map(async (run) => {
    const startMs = dice.below(startsMs);
    const pause = `0.${dice.below(4)}`;
    const script = 'sleep "$2"; echo line >> "$1"; sleep "$2"';
    await sleep(startMs);
    // A command line is met by a core that is away, and says so; what is asked from here waits for it.
    if (!lines.includes(run)) await up;
    const command = ['sh', '-c', script, 'sh', `${folderOf(bench, run)}/{{id}}`, pause];
    const { line, started } = startJob(bench, command, lines.includes(run));
    if (line !== undefined) living.set(run, line);
    await started;
    living.delete(run);
  });
  const beganMs = performance.now();
  let coreIsDown = false;
  const down = new Set<TestAgent>();
  for (const { victim, afterMs, run, agent } of blowsOf(dice, lines, round, agents.length)) {
    await sleep(Math.max(0, afterMs - (performance.now() - beganMs)));
    report.blows[victim] += 1;
    const chosen = agents[agent]!;
    if (victim === 'core' && !coreIsDown) {
      coreIsDown = true;
      await fleet.killCoordinator();
      up = fleet.startCoordinator();
      up.catch(() => undefined); // seen at the end of the round
    } else if (victim === 'gateway' && !coreIsDown) await killGateway(client);
    else if (victim === 'command-line' && living.has(run)) living.get(run)!.kill('SIGKILL');
    else if (victim === 'agent' && !down.has(chosen)) {
      down.add(chosen);
      await chosen.kill();
    } else if (victim === 'command' && (await killCommand(join(folderOf(bench, run), chosen.id)))) continue;
    else report.missed += 1;
  }
  await Promise.all([...down].map((agent) => agent.restart()));
  await up;
  await Promise.all(begun);
  const jobs = await client.jobs({ limit: 10_000 });
  for (const run of round) {
    const job = jobOf(jobs, folderOf(bench, run));
    if (job === undefined) for (const { id } of agents) await judge(bench, run, id, undefined);
    else for (const result of await resultsOf(client, job.id)) await judge(bench, run, result.deviceId, result);
  }
  for (const { id } of agents) await connected(client, id);
}

function resultsOf(client: CoordinatorClient, id: string): Promise<DeviceResult[]> {
  return eventually(
    `job ${id} has ended`,
    async () => {
      const shown = await client.job(id);
      return shown.state === 'finished' ? (shown.results ?? []) : undefined;
    },
    { timeoutMs: endMs, everyMs: 50 },
  );
}

async function judge(bench: Bench, run: number, device: string, result: DeviceResult | undefined) {
  const { report } = bench;
  const lines = await linesOf(join(folderOf(bench, run), device));
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

function jobOf(jobs: readonly Job[], folder: string): Job | undefined {
  return jobs.find(({ action }) => action.kind === 'command' && action.argv.includes(`${folder}/{{id}}`));
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
