/** `npm run soak -- NAME [--seconds N] [--seed N] [--points N]`: JSON on stdout, progress on stderr, 1 when it failed. */
import { parseArgs } from 'node:util';
import { Dice } from './dice.ts';
import { hoard, hoardVerdict } from './hoard.ts';
import { fuzzDecoder, verdict } from './fuzz-decoder.ts';

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

const soaks = {
  'fuzz-decoder': async () => {
    const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : whole('seed', values.seed);
    const hoarded = await hoard(new Dice(seed));
    const report = await fuzzDecoder({
      seconds: whole('seconds', values.seconds),
      seed,
      ...(values.points === undefined ? {} : { points: whole('points', values.points) }),
      onProgress: (points, elapsedMs) =>
        void process.stderr.write(`${Math.round(elapsedMs / 1_000)} s, ${points} points\n`),
    });
    return { report: { ...report, hoard: hoarded }, problems: [...verdict(report), ...hoardVerdict(hoarded)] };
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
