/** `npm run soak -- NAME [--seconds N] [--seed N] [--points N]`: JSON on stdout, progress on stderr, 1 when it failed. */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { temporaryDirectory } from '../support/temporary.ts';
import { fuzzDecoder, verdict as fuzzVerdict } from './fuzz-decoder.ts';
import { powerCutApply, recordUpgrades, verdict as powerCutVerdict } from './power-cut-apply.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '600' },
    seed: { type: 'string' },
    points: { type: 'string' },
  },
});

function whole(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  process.stderr.write(`--${name} ${text} is not a whole number\n`);
  process.exit(2);
}

const seconds = (): number => whole('seconds', values.seconds);
const seed = (): number =>
  values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : whole('seed', values.seed);
const onProgress = (points: number, elapsedMs: number): void =>
  void process.stderr.write(`${Math.round(elapsedMs / 1_000)} s, ${points} points\n`);

const soaks = {
  'fuzz-decoder': async () => {
    const points = values.points === undefined ? {} : { points: whole('points', values.points) };
    const report = await fuzzDecoder({ seconds: seconds(), seed: seed(), ...points, onProgress });
    return { report, problems: fuzzVerdict(report) };
  },
  'power-cut-apply': async () => {
    await using scratch = await temporaryDirectory();
    const points = whole('points', values.points ?? '300');
    const recording = await recordUpgrades(join(scratch.path, 'soak'));
    const report = await powerCutApply(recording, { seconds: seconds(), seed: seed(), points, onProgress });
    return { report, problems: powerCutVerdict(report) };
  },
};

const [name = ''] = positionals;
if (!Object.hasOwn(soaks, name)) {
  process.stderr.write(`no soak is named '${name}'; there are: ${Object.keys(soaks).join(', ')}\n`);
  process.exit(2);
}
const { report, problems } = await soaks[name as keyof typeof soaks]();
process.stdout.write(`${JSON.stringify({ ...report, passed: problems.length === 0, problems }, null, 2)}\n`);
process.exitCode = problems.length === 0 ? 0 : 1;
