/**
 * `npm run bench:job`: jobs on many devices, until every result is stored. Sessions of agents, many in a process, over
 * real TLS; coordinator, gateways and devices share the cores of this machine. One JSON document on stdout, progress on
 * stderr; exit code 1 when a target is missed. What it says of this machine is only as good as the machine is idle:
 * `loadAverage` stands beside the figures, and ratios are taken in turns.
 */
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { createCountingProxy } from '../support/counting-proxy.ts';
import { CrowdFleet, type JobTiming } from './job/crowd-fleet.ts';
import { spawnRate, startRealAgents, untilReady } from './job/real-agent.ts';
import { childCpuSecondsOf, cpuSecondsOf } from './ingest/process-cpu.ts';

const scenarioNames = ['crowd', 'crowds', 'stuck', 'spawn'] as const;
const usage = `bench:job [--agents N] [--rounds N] [--scenarios ${scenarioNames.join(',')}]`;
const say = (text: string): void => void process.stderr.write(`${text}\n`);
const { values } = parseArgs({
  options: {
    agents: { type: 'string', default: '5000' },
    rounds: { type: 'string', default: '9' },
    scenarios: { type: 'string', default: scenarioNames.join(',') },
  },
});
const agents = Number(values.agents);
const rounds = Number(values.rounds);
const wanted = values.scenarios.split(',');
const isCount = (value: number): boolean => Number.isInteger(value) && value > 0;
if (
  !isCount(agents) ||
  !isCount(rounds) ||
  wanted.some((name) => !(scenarioNames as readonly string[]).includes(name))
) {
  say(usage);
  process.exit(2);
}

interface Target {
  target: string;
  measured: number;
  met: boolean;
}

/** A second, all stored. */
const leastResults = 10_000;
/** Of the others' last result, with a stuck device among them and without. */
const mostDelay = 1.1;
/** Jobs of a tenth of a second: it takes many to tell them from the machine's own unrest. */
const pairsARound = 5;
/** The first jobs of a coordinator find code that no compiler has seen yet: they are told, and not judged. */
const coldRounds = 4;
/** The small crowd's jobs take half a second: as many of its results are judged as of the large one's, for as long. */
const largeToSmall = 4;
/** Where many run the same code the compilers have seen it soon, as in an agent that has been up for long. */
const agentsInProcess = 250;
/** Until then they have not. Each is as many runs in each process. */
const coldSpawnRounds = 8;
/** Of what the machine itself can do. */
const leastOfSpawnRate = 0.7;

const report: Record<string, unknown> = {};
const targets: Record<string, Target> = {};

if (wanted.includes('crowd'))
  report['crowd'] = await crowd('crowd', agents, { processes: 1, jobs: rounds * largeToSmall });
if (wanted.includes('crowds'))
  report['crowds'] = await crowd('crowds', agents * largeToSmall, { processes: 2, jobs: rounds });
if (wanted.includes('stuck')) report['stuck'] = await stuck(Math.max(10, Math.round(agents / 10)));
if (wanted.includes('spawn')) report['spawn'] = await spawn(Math.max(5, Math.round(agents / 10)));

const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version, loadAverage: loadavg() };
process.stdout.write(`${JSON.stringify({ scenarios: report, targets, machine }, undefined, 2)}\n`);
for (const [name, { target, measured, met }] of Object.entries(targets)) {
  if (!met) say(`missed: ${name}: ${measured}, ${target}`);
}
process.exitCode = Object.values(targets).every(({ met }) => met) ? 0 : 1;

/** A job to `*` on sessions whose executor answers at once: it has no process, so this is the way there and back alone. */
async function crowd(name: string, count: number, { processes, jobs }: { processes: number; jobs: number }) {
  await using fleet = await CrowdFleet.start({ gateways: processes });
  for (let n = 0; n < processes; n += 1) {
    const share = Math.floor(((n + 1) * count) / processes) - Math.floor((n * count) / processes);
    await fleet.addCrowd(Array.from({ length: share }, (_, at) => `c${n}-${at}`));
    say(`${name}: ${fleet.devices} sessions`);
  }
  const all: JobTiming[] = [];
  for (let round = 0; round < coldRounds + jobs; round += 1) {
    all.push(await fleet.run({ selector: '*', expect: count }));
    say(`${name}: ${JSON.stringify(all.at(-1))}`);
  }
  const [cold, timings] = [all.slice(0, coldRounds), all.slice(coldRounds)];
  const middle = medianBy(timings, ({ resultsPerSecond }) => resultsPerSecond);
  least(name, leastResults, middle.resultsPerSecond, 'results a second');
  return {
    sessions: count,
    clientProcesses: processes,
    job: 'ping',
    executor: 'simulated',
    loadAverage: loadavg()[0],
    middle,
    timings,
    cold,
  };
}

/** Jobs with and without three devices of which no answer will come, in turns. */
async function stuck(count: number) {
  await using stack = new AsyncDisposableStack();
  const fleet = stack.use(await CrowdFleet.start({ gateways: 1 }));
  const proxy = stack.use(await createCountingProxy(fleet.fleet.port));
  await fleet.addCrowd(Array.from({ length: count }, (_, at) => `well-${at}`));
  const stoppedPid = await fleet.startCrowd(['ill-stopped']);
  await fleet.startCrowd(['ill-hole'], proxy.port);
  await fleet.enroll(['ill-offline']);
  process.kill(stoppedPid, 'SIGSTOP');
  proxy.freeze();
  const timings: { with: JobTiming[]; without: JobTiming[] } = { with: [], without: [] };
  // The first job finds cold code: it is nobody's.
  await fleet.run({ selector: 'well-*', expect: count });
  const pairs = pairsARound * rounds;
  for (let pair = 0; pair < pairs; pair += 1) {
    // Each comes first as often as second: what a job leaves behind is in the other's way.
    for (const which of pair % 2 === 0 ? (['without', 'with'] as const) : (['with', 'without'] as const)) {
      const request = which === 'with' ? { selector: '*', expect: count + 3 } : { selector: 'well-*', expect: count };
      timings[which].push(await fleet.run(request, { whole: which === 'without' }));
    }
  }
  const lastMs = ({ storedMs }: JobTiming): number => storedMs.last;
  const withMs = medianBy(timings.with, lastMs).storedMs;
  const withoutMs = medianBy(timings.without, lastMs).storedMs;
  // Neighbours in time, so that a machine that is busy for a while is busy for both.
  const ratios = timings.with.map((timing, round) => lastMs(timing) / lastMs(timings.without[round]!));
  const ratio = Math.round(medianBy(ratios, (value) => value) * 100) / 100;
  targets['stuck'] = { target: `at most ${mostDelay}`, measured: ratio, met: ratio <= mostDelay };
  say(`stuck: the others' last result ${withMs.last} ms with, ${withoutMs.last} ms without`);
  return { devices: count, stuck: ['stopped', 'black hole', 'offline'], pairs, withMs, withoutMs, ratio };
}

interface SpawnRate {
  /** Runs a second. */
  job: number;
  machine: number;
  /** Of commands from the fork on: also what was spent before the job came. */
  cpuMsARun: Record<'agents' | 'commands' | 'gateways' | 'core', number>;
}

/**
 * Real agents and real processes, beside what the machine itself can spawn: of agents that each have a process which
 * waits for its command, and in turns with it of the same agents at once after that, when none has.
 */
async function spawn(count: number) {
  await using stack = new AsyncDisposableStack();
  const fleet = stack.use(await CrowdFleet.start({ gateways: 1 }));
  const agentProcesses = Math.ceil(count / agentsInProcess);
  const pids = await startRealAgents(
    { fleet: fleet.fleet, client: fleet.client, enroll: (ids) => fleet.enroll(ids) },
    { count, processes: agentProcesses, stack },
  );
  say(`spawn: ${count} agents`);
  const spent = () => ({ ...fleet.cpu(), agents: cpuSecondsOf(pids), commands: childCpuSecondsOf(pids) });
  const job = async (machineRate: number): Promise<SpawnRate> => {
    const before = spent();
    const began = performance.now();
    const { id } = await fleet.client.startJob({
      selector: '*',
      action: { kind: 'command', argv: ['true'] },
      expect: count,
    });
    await fleet.finished(id);
    const seconds = (performance.now() - began) / 1_000;
    const after = spent();
    fleet.requireStored(id, count);
    const perRun = (part: keyof typeof after): number => Math.round(((after[part] - before[part]) * 1e5) / count) / 1e2;
    return {
      job: Math.round(count / seconds),
      machine: Math.round(machineRate),
      cpuMsARun: {
        agents: perRun('agents'),
        commands: perRun('commands'),
        gateways: perRun('gateways'),
        core: perRun('core'),
      },
    };
  };
  const cold: SpawnRate[] = [];
  const timings: { ready: SpawnRate; atOnce: SpawnRate }[] = [];
  for (let round = 0; round < coldSpawnRounds + rounds; round += 1) {
    if (round > 0) await untilReady(pids, count); // the first command of an agent finds none
    const machineRate = await spawnRate(Math.max(200, count));
    const ready = await job(machineRate);
    if (round < coldSpawnRounds) cold.push(ready);
    else timings.push({ ready, atOnce: await job(machineRate) });
    say(`spawn: ${JSON.stringify(timings.at(-1) ?? ready)}`);
  }
  const ready = spawnMiddle(timings.map((each) => each.ready));
  const atOnce = spawnMiddle(timings.map((each) => each.atOnce));
  const { ratio } = ready;
  targets['spawn'] = { target: `at least ${leastOfSpawnRate}`, measured: ratio, met: ratio >= leastOfSpawnRate };
  return { agents: count, agentProcesses, ...ready, atOnce, timings, cold };
}

function spawnMiddle(rates: readonly SpawnRate[]): { perSecond: SpawnRate; ratio: number } {
  const perSecond = medianBy(rates, ({ job, machine: rate }) => job / rate);
  return { perSecond, ratio: Math.round((perSecond.job / perSecond.machine) * 100) / 100 };
}

function least(name: string, target: number, measured: number, unit: string): void {
  targets[name] = { target: `at least ${target} ${unit}`, measured, met: measured >= target };
}

function medianBy<T>(items: readonly T[], value: (item: T) => number): T {
  return items.toSorted((a, b) => value(a) - value(b))[Math.floor(items.length / 2)]!;
}
