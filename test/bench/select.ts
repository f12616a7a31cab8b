/**
 * `npm run bench:select`: what a selector costs on a fleet of 100,000 and of 1,000,000 devices with 18 grains, beside a
 * walk through the same fleet in the same run; what the registry takes to be built, kept up to date and loaded. One JSON
 * document on stdout, progress on stderr; exit code 1 when a target is missed or an answer is wrong.
 */
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';

const { values } = parseArgs({ options: { devices: { type: 'string', default: '100000,1000000' } } });
const sizes = values.devices.split(',').map(Number);
const say = (text: string): void => void process.stderr.write(`${text}\n`);
if (sizes.some((size) => !(size > 0))) {
  say('bench:select [--devices N,N]');
  process.exit(2);
}

/** Milliseconds of one thread, by devices in the fleet. */
const mostMs = {
  index: (devices: number) => devices / 10_000,
  scan: (devices: number) => (devices / 1_000_000) * 1_500,
};
const leastUpdatesPerSecond = 50_000;
const mostCatastrophicMs = mostMs.scan;

interface Measured {
  updates: { perSecond: number };
  expressions: Record<
    string,
    { by: 'index' | 'scan'; matchMs: number; firstMs: number; ratio: number; isSame: boolean }
  >;
  catastrophic: Record<string, { cpuMs: number }>;
  mixed: { updatesPerSecond: number; wrong: number };
}

const fleets: Record<string, Measured> = {};
const targets: Record<string, { measured: number; limit: number; met: boolean }> = {};
for (const devices of sizes) {
  const measured = await run<Measured>('measure.ts', devices);
  fleets[devices] = measured;
  for (const [name, { by, matchMs, isSame }] of Object.entries(measured.expressions)) {
    atMost(`${devices} ${name} ms`, matchMs, mostMs[by](devices));
    atMost(`${devices} ${name} wrong`, isSame ? 0 : 1, 0);
  }
  const slowest = Math.max(...Object.values(measured.catastrophic).map(({ cpuMs }) => cpuMs));
  atMost(`${devices} catastrophic ms`, slowest, mostCatastrophicMs(devices));
  atLeast(`${devices} updates a second`, measured.updates.perSecond, leastUpdatesPerSecond);
  atLeast(`${devices} updates a second beside selections`, measured.mixed.updatesPerSecond, leastUpdatesPerSecond);
  atMost(`${devices} answers of no instant`, measured.mixed.wrong, 0);
}
const start = await run<object>('start.ts', Math.min(100_000, ...sizes));

const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version, load: loadavg()[0] };
process.stdout.write(`${JSON.stringify({ fleets, start, targets, machine }, undefined, 2)}\n`);
const missed = Object.entries(targets).filter(([, { met }]) => !met);
for (const [name, { measured, limit }] of missed) say(`missed: ${name}: ${measured}, limit ${limit}`);
process.exitCode = missed.length === 0 ? 0 : 1;

function atMost(name: string, measured: number, limit: number): void {
  targets[name] = { measured, limit, met: measured <= limit };
}

function atLeast(name: string, measured: number, limit: number): void {
  targets[name] = { measured, limit, met: measured >= limit };
}

async function run<T>(program: string, devices: number): Promise<T> {
  const { stdout } = await execa(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      '--expose-gc',
      '--max-old-space-size=8192',
      join(import.meta.dirname, 'select', program),
      '--devices',
      String(devices),
    ],
    { stderr: 'inherit' },
  );
  return JSON.parse(stdout) as T;
}
