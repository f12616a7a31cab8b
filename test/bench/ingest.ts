/**
 * `npm run bench:ingest`: events a second that are confirmed to devices, after the commit, with everything (coordinator,
 * TLS, load generators) on the cores of this machine; beside mosquitto and nats-server with the same events. One JSON
 * document on stdout, progress on stderr; exit code 1 when a target is missed or a program is not installed.
 */
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { startMosquitto, startNats } from './ingest/broker-contender.ts';
import type { Contender } from './ingest/contender.ts';
import { startFlotilla } from './ingest/coordinator-contender.ts';
import { dialects, type Dialect, type GeneratorReport, type GeneratorSetup } from './ingest/setup.ts';
import { defaultVectorDirectory } from './wire/event-set.ts';

const usage = `bench:ingest [--contenders ${dialects.join(',')}] [--scenarios batches,singles,singlesInTurn] [--seconds N] [--gateways N]`;
const say = (text: string): void => void process.stderr.write(`${text}\n`);

const { values } = parseArgs({
  options: {
    contenders: { type: 'string', default: dialects.join(',') },
    scenarios: { type: 'string', default: 'batches,singles,singlesInTurn' },
    seconds: { type: 'string', default: '10' },
    gateways: { type: 'string', default: '1' },
  },
});
const measureMs = Number(values.seconds) * 1_000;
const gateways = Number(values.gateways);
const contenders = values.contenders.split(',') as Dialect[];
if (!(measureMs > 0) || !(gateways > 0) || contenders.some((name) => !dialects.includes(name))) {
  say(usage);
  process.exit(2);
}
const programs = { flotilla: 'sqlite3', mosquitto: 'mosquitto', nats: 'nats-server' } as const;
for (const name of contenders) {
  const { exitCode } = await execa(programs[name], ['-h'], { reject: false });
  if (exitCode !== undefined) continue;
  say(
    `not installed: ${programs[name]} (a Debian package of that name, mosquitto and sqlite3 likewise); --contenders leaves it out`,
  );
  process.exit(1);
}

interface Scenario {
  connections: number;
  batchRows: number;
  maxUnconfirmed: number;
  /** Ways of a broker to write a batch. */
  ways: readonly ('each' | 'packed')[];
  /** Missing: for comparison only. */
  leastPerSecond?: number;
}

const scenarios: Record<string, Scenario> = {
  batches: { connections: 16, batchRows: 100, maxUnconfirmed: 800, ways: ['each', 'packed'], leastPerSecond: 60_000 },
  singles: { connections: 1_000, batchRows: 1, maxUnconfirmed: 4, ways: ['each'], leastPerSecond: 15_000 },
  // Each device waits for the answer to one event before it sends the next.
  singlesInTurn: { connections: 1_000, batchRows: 1, maxUnconfirmed: 1, ways: ['each'] },
};

const start: Record<Dialect, () => Promise<Contender>> = {
  flotilla: () => startFlotilla({ gateways }),
  mosquitto: startMosquitto,
  nats: startNats,
};

const report: Record<string, Record<string, unknown>> = {};
const targets: Record<string, { leastPerSecond: number; measuredPerSecond: number; met: boolean }> = {};
for (const name of values.scenarios.split(',')) {
  const scenario = scenarios[name];
  if (scenario === undefined) {
    say(`no scenario is named '${name}'\n${usage}`);
    process.exit(2);
  }
  const { connections, batchRows, leastPerSecond } = scenario;
  report[name] = { connections, eventsInBatch: batchRows, mostUnconfirmedOfAConnection: scenario.maxUnconfirmed };
  for (const dialect of contenders) {
    for (const way of dialect === 'flotilla' ? (['each'] as const) : scenario.ways) {
      const label = way === 'each' ? dialect : `${dialect}Packed`;
      say(`${name}: ${label}`);
      await using contender = await start[dialect]();
      const result = await measure(contender, scenario, way === 'packed');
      report[name][label] = result;
      say(`${name}: ${label}: ${result.eventsPerSecond} events/s, median ${result.latencyMs.median} ms`);
      if (dialect !== 'flotilla' || leastPerSecond === undefined) continue;
      const measuredPerSecond = result.eventsPerSecond;
      targets[name] = { leastPerSecond, measuredPerSecond, met: measuredPerSecond >= leastPerSecond };
    }
  }
  const ours = (report[name]['flotilla'] as Result | undefined)?.eventsPerSecond;
  for (const [label, result] of Object.entries(report[name])) {
    if (ours === undefined || typeof result !== 'object' || label === 'flotilla') continue;
    const { eventsPerSecond } = result as Result;
    report[name][`ratioTo_${label}`] = Math.round((ours / eventsPerSecond) * 100) / 100;
  }
}
const missed = Object.entries(targets).filter(([, { met }]) => !met);
const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version };
process.stdout.write(`${JSON.stringify({ scenarios: report, targets, machine }, undefined, 2)}\n`);
for (const [name, { measuredPerSecond, leastPerSecond }] of missed)
  say(`missed: ${name}: ${measuredPerSecond} events/s, at least ${leastPerSecond}`);
process.exitCode = missed.length === 0 ? 0 : 1;

type Result = Awaited<ReturnType<typeof measure>>;

async function measure(contender: Contender, scenario: Scenario, packed: boolean) {
  const { connections, batchRows, maxUnconfirmed } = scenario;
  const { dialect, port, serverName } = contender;
  const devices: GeneratorSetup['devices'] = [];
  for (let n = 0; n < connections; n += 1) {
    const id = `bench-${n}`;
    devices.push({ id, ...(await contender.device(id)) });
  }
  const setup: GeneratorSetup = {
    dialect,
    port,
    serverName,
    devices,
    batchRows,
    packed,
    maxUnconfirmed,
    warmUpMs: 3_000,
    measureMs,
    vectorDirectory: defaultVectorDirectory,
  };
  const generator = execa(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'ingest', 'generator.ts')],
    { input: JSON.stringify(setup), stderr: 'inherit' },
  );
  let generated: GeneratorReport | undefined;
  const cpuSeconds: number[] = [];
  for await (const line of generator) {
    const said = JSON.parse(line) as { phase: string } | GeneratorReport;
    if ('phase' in said) cpuSeconds.push(contender.cpuSeconds());
    else generated = said;
  }
  await generator;
  if (generated === undefined) throw new Error('the generator has not reported');
  const stored = await contender.stored();
  const expected = packed ? generated.confirmed / batchRows : generated.confirmed;
  if (stored !== undefined && stored < expected)
    throw new Error(`${dialect} confirmed ${expected} and has stored ${stored}`);
  return {
    eventsPerSecond: Math.round(generated.confirmedInWindow / (generated.windowMs / 1_000)),
    latencyMs: generated.latencyMs,
    confirmed: generated.confirmed,
    ...(stored === undefined ? {} : { stored }),
    cpuMicrosecondsAnEvent: {
      server: perEvent(cpuSeconds[1]! - cpuSeconds[0]!, generated),
      generator: perEvent(generated.cpuSeconds, generated),
    },
    confirmedMeans: contender.confirmedMeans,
  };
}

function perEvent(seconds: number, { confirmedInWindow }: GeneratorReport): number {
  return Math.round((seconds * 1e7) / Math.max(1, confirmedInWindow)) / 10;
}
