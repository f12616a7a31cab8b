/**
 * `npm run bench:simulate`: how long a rollout to 100,000 devices takes on the virtual clock, with a few in flight at once
 * and with many, while some fail, are away and flap. One JSON document on stdout; exit code 1 when a target is missed.
 */
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { createFleet, simulatePolicy } from '../../src/simulation/index.ts';

const { values } = parseArgs({ options: { devices: { type: 'string', default: '100000' } } });
const devices = Number(values.devices);
if (!(devices >= 1)) {
  process.stderr.write('bench:simulate [--devices N]\n');
  process.exit(2);
}

/** For 100,000 devices; fewer have as long. */
const mostSeconds = 20 * Math.max(1, devices / 100_000);
const startMs = Date.parse('2026-01-05T00:00:00Z');
const timers = {
  offered: 300,
  downloading: 14_400,
  verified: 3_600,
  installing: 3_600,
  rebooting: 900,
  testing: 1_800,
};
const fleet = createFleet([], [{ count: devices, id: 'd-{n}', grains: { site: 's{n%97}' } }], { nowMs: startMs });
const runs = [50, 500, 5_000].map((maxInFlight) => {
  const started = performance.now();
  const cpu = process.cpuUsage();
  const trial = simulatePolicy({
    request: {
      release: 'meter/2.0.0/stable',
      selector: '*',
      phases: [{ size: '100' }, { size: '10%', soakSeconds: 3_600 }, { size: 'rest' }],
      maxInFlight,
      maxFailures: devices,
      maxFailureShare: 1,
    },
    fleet,
    model: {
      failures: [{ share: 0.05 }, { share: 0.001, as: 'silent' }],
      offline: [{ share: 0.03, for: { kind: 'average', fromMs: 7_200_000, toMs: 7_200_000 } }],
      flapping: [{ share: 0.02 }],
    },
    timers,
    seed: 1,
    startMs,
    limitSeconds: 90 * 86_400,
    bundleBytes: 32 * 1024 * 1024,
  });
  const { user, system } = process.cpuUsage(cpu);
  const seconds = (performance.now() - started) / 1000;
  return {
    maxInFlight,
    seconds: round(seconds),
    cpuSeconds: round((user + system) / 1e6),
    inputsPerSecond: Math.round(trial.inputs / seconds),
    ending: trial.ending,
    counts: trial.report.rollout.counts,
    virtualHours: round(trial.durationSeconds / 3_600),
    inputs: trial.inputs,
  };
});
const slowest = Math.max(...runs.map(({ seconds }) => seconds));
const targets = { seconds: { measured: slowest, limit: mostSeconds, met: slowest <= mostSeconds } };
const unfinished = runs.filter(({ ending }) => ending !== 'completed').length;
const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version, load: loadavg()[0] };
process.stdout.write(`${JSON.stringify({ devices, runs, targets, unfinished, machine }, undefined, 2)}\n`);
process.exitCode = targets.seconds.met && unfinished === 0 ? 0 : 1;

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
