/**
 * `npm run soak -- NAME [--seconds N] [--seed N] [--points N] [--agents N] [--events N] [--recording FILE]`: JSON on
 * stdout, progress on stderr, 1 when it failed.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { deserialize, serialize } from 'node:v8';
import { execa } from 'execa';
import { temporaryDirectory } from '../support/temporary.ts';
import { runChaos } from './chaos/chaos.ts';
import { Dice } from './dice.ts';
import { hoard, hoardVerdict } from './hoard.ts';
import { fuzzDecoder, verdict } from './fuzz-decoder.ts';
import { recordLog, type LogRecording } from './log-recording.ts';
import { powerCutLog, verdict as powerCutLogVerdict } from './power-cut-log.ts';
import { runDemand } from './demand/demand.ts';
import { runJobs } from './jobs/jobs.ts';
import { crashRollout } from './rollout/rollout-crash.ts';
import { checkRolloutModel } from './rollout/rollout-model.ts';
import { runRollout } from './rollout/rollout.ts';
import { runRotation } from './rotation/rotation.ts';
import { powerCut, powerCutVerdict as updateVerdict } from './update/power-cut.ts';
import { powerCutApply, recordUpgrades, verdict as powerCutVerdict } from './power-cut-apply.ts';

const { values, positionals } = readArguments();

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        seconds: { type: 'string' },
        seed: { type: 'string' },
        points: { type: 'string' },
        agents: { type: 'string' },
        events: { type: 'string' },
        recording: { type: 'string' },
      },
    });
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.stderr.write('npm run soak -- NAME [--seconds N] [--seed N] [--points N] [--agents N] [--events N]\n');
    process.exit(2);
  }
}

function whole(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  process.stderr.write(`--${name} ${text} is not a whole number\n`);
  process.exit(2);
}

const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : whole('seed', values.seed);
const say = (text: string): void => void process.stderr.write(`${text}\n`);

const onProgress = (points: number, elapsedMs: number): void =>
  say(`${Math.round(elapsedMs / 1_000)} s, ${points} points`);

interface Soak {
  /** What node itself has to be told: the soak then runs in a process of its own. */
  nodeFlags?: readonly string[];
  run(): Promise<{ report: object; problems: string[] }>;
}

const soaks: Record<string, Soak> = {
  'fuzz-decoder': {
    // A small heap, or V8's lazy collector would be what is measured.
    nodeFlags: ['--expose-gc', '--max-semi-space-size=2', '--max-old-space-size=96'],
    async run() {
      const hoarded = await hoard(new Dice(seed));
      const report = await fuzzDecoder({
        seconds: whole('seconds', values.seconds ?? '600'),
        seed,
        ...(values.points === undefined ? {} : { points: whole('points', values.points) }),
        onProgress,
      });
      return { report: { ...report, hoard: hoarded }, problems: [...verdict(report), ...hoardVerdict(hoarded)] };
    },
  },
  'rollout-crash': {
    async run() {
      const { problems, ...report } = await crashRollout({ points: whole('points', values.points ?? '200'), seed });
      return { report, problems };
    },
  },
  'rollout-model': {
    async run() {
      const started = performance.now();
      const runs = whole('points', values.points ?? '10000');
      const report = { seed, ...checkRolloutModel({ runs, seed }), ms: Math.round(performance.now() - started) };
      return { report, problems: [] };
    },
  },
  'power-cut': {
    async run() {
      const report = await powerCut({
        seconds: whole('seconds', values.seconds ?? '3600'),
        seed,
        ...(values.points === undefined ? {} : { points: whole('points', values.points) }),
        parallel: 3,
        onProgress,
      });
      return { report, problems: updateVerdict(report) };
    },
  },
  'power-cut-log': {
    async run() {
      const dir = await mkdtemp(join(tmpdir(), 'flotilla-power-cut-log-'));
      const file = values.recording ?? join(dir, 'recording');
      if (values.recording === undefined) {
        const recording = await recordLog(dir, { seed, events: whole('events', values.events ?? '1500') });
        await writeFile(file, serialize(recording));
      }
      const report = await powerCutLog(deserialize(await readFile(file)) as LogRecording, {
        seconds: whole('seconds', values.seconds ?? '1800'),
        seed,
        points: whole('points', values.points ?? '300'),
        dir,
        onProgress,
      });
      const problems = powerCutLogVerdict(report);
      // A recording is not the same twice: a failure is replayed with the one that it came from.
      if (problems.length === 0) await rm(dir, { recursive: true });
      else say(`again: npm run soak -- power-cut-log --recording ${file} --seed N --points 1`);
      return { report, problems };
    },
  },
  'power-cut-apply': {
    async run() {
      await using scratch = await temporaryDirectory();
      const recording = await recordUpgrades(join(scratch.path, 'soak'));
      const report = await powerCutApply(recording, {
        seconds: whole('seconds', values.seconds ?? '600'),
        seed,
        points: whole('points', values.points ?? '300'),
        onProgress,
      });
      return { report, problems: powerCutVerdict(report) };
    },
  },
  demand: {
    async run() {
      const { problems, ...report } = await runDemand({
        agents: whole('agents', values.agents ?? '40'),
        processes: 2,
        holdSeconds: whole('seconds', values.seconds ?? '30'),
        rampSeconds: 60,
        say,
      });
      return { report, problems };
    },
  },
  jobs: {
    async run() {
      const runs = whole('points', values.points ?? '300');
      const report = await runJobs({ seed, runs, agents: Math.min(3, whole('agents', values.agents ?? '40')), say });
      return { report, problems: report.failures.map(({ run, reason }) => `run ${run}: ${reason}`) };
    },
  },
  rollout: {
    async run() {
      const { problems, ...report } = await runRollout({
        agents: whole('agents', values.agents ?? '300'),
        seed,
        gateways: 2,
        deadlineSeconds: whole('seconds', values.seconds ?? '300'),
        say,
      });
      return { report, problems };
    },
  },
  rotation: {
    async run() {
      const agents = whole('agents', values.agents ?? '40');
      const { problems, ...report } = await runRotation({
        agents,
        away: Math.ceil(agents / 20),
        shortSeconds: whole('seconds', values.seconds ?? '240'),
        say,
      });
      return { report, problems };
    },
  },
  chaos: {
    async run() {
      const report = await runChaos({
        seed,
        seconds: whole('seconds', values.seconds ?? '300'),
        agents: whole('agents', values.agents ?? '40'),
        events: whole('events', values.events ?? '200000'),
        poison: 40,
        faultsPerSecond: 3,
        say,
      });
      return { report, problems: report.failures.map(({ reason }) => reason) };
    },
  },
};

const [name = ''] = positionals;
const soak = Object.hasOwn(soaks, name) ? soaks[name] : undefined;
if (soak === undefined) {
  say(`no soak is named '${name}'; there are: ${Object.keys(soaks).join(', ')}`);
  process.exit(2);
}
const flags = (soak.nodeFlags ?? []).filter((flag) => !process.execArgv.includes(flag));
if (flags.length > 0) {
  const argv = [...process.execArgv, ...flags, import.meta.filename, ...process.argv.slice(2)];
  const { exitCode } = await execa(process.execPath, argv, { stdio: 'inherit', reject: false });
  process.exitCode = exitCode ?? 1;
} else {
  const { report, problems } = await soak.run();
  process.stdout.write(`${JSON.stringify({ ...report, passed: problems.length === 0, problems }, null, 2)}\n`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
