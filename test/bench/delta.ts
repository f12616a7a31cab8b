/**
 * Deltas of two 64 MiB images that differ in 3 %, beside xdelta3 on the same files in the same round: sizes, times, and
 * the memory of whoever applies one. `edited`: changed where it stands; `moved`: parts inserted, dropped and repeated,
 * so that the rest lies elsewhere. One JSON document on stdout, exit code 1 when a target is missed. Every patch is
 * applied by the other program and compared. Needs GNU time and xdelta3. `--seed N` makes other images.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { changedShare, imagePair, pairKinds, sizeBytes, type PairKind } from './delta/image-pair.ts';

const { values } = parseArgs({ options: { seed: { type: 'string', default: '1' }, rounds: { type: 'string', default: '5' } } }); // prettier-ignore
const seed = Number(values.seed);
const rounds = Number(values.rounds);
/** `decodeBytes`: what applying takes beyond a process that does nothing. */
const most = { size: 1.3, time: 2, decodeBytes: 64 * 1024 * 1024 };

interface Measured {
  wallSeconds: number;
  cpuSeconds: number;
  peakBytes: number;
}

const ours = [process.execPath, join(import.meta.dirname, 'delta', 'patch.ts')];
const missed: string[] = [];
const folder = await mkdtemp(join(tmpdir(), 'flotilla-bench-'));
try {
  const loadBefore = loadavg();
  const pairs: Record<string, object> = {};
  for (const kind of pairKinds) pairs[kind] = await measurePair(kind);
  const machine = { cores: cpus().length, cpu: cpus()[0]?.model, loadBefore, loadAfter: loadavg() };
  const document = { seed, sizeBytes, changedShare, rounds, most, machine, node: process.version, pairs, missed };
  process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
} finally {
  await rm(folder, { recursive: true, force: true });
}
if (missed.length > 0) process.exitCode = 1;

async function measurePair(kind: PairKind): Promise<object> {
  const { before, after } = imagePair(kind, seed);
  const [old, fresh, ourPatch, theirPatch, back] = ['old', 'new', 'ours', 'theirs', 'back'].map((name) => join(folder, name)) as [string, string, string, string, string]; // prettier-ignore
  await writeFile(old, before);
  await writeFile(fresh, after);
  const contenders = {
    idle: [...ours, 'idle'],
    xdelta3: ['xdelta3', '-9', '-S', 'none', '-e', '-f', '-s', old, fresh, theirPatch],
    ours: [...ours, 'encode', old, fresh, ourPatch],
    xdelta3Decode: ['xdelta3', '-d', '-f', '-s', old, ourPatch, back],
    oursDecode: [...ours, 'decode', old, theirPatch, back],
    oursDecodeOurs: [...ours, 'decode', old, ourPatch, back],
  };
  const best = new Map<string, Measured>();
  const wanted = await sha256(fresh);
  for (let round = 0; round < rounds; round++) {
    for (const [name, argv] of Object.entries(contenders)) {
      const measured = await run(argv);
      const known = best.get(name);
      if (known === undefined || measured.wallSeconds < known.wallSeconds) best.set(name, measured);
      if (name.includes('Decode') && (await sha256(back)) !== wanted)
        throw new Error(`${name} of ${kind}: other bytes`);
    }
  }
  const [{ size: ourBytes }, { size: theirBytes }] = [await stat(ourPatch), await stat(theirPatch)];
  const wall = (name: keyof typeof contenders): number => best.get(name)!.wallSeconds;
  const ratios = { size: ourBytes / theirBytes, time: wall('ours') / wall('xdelta3') };
  atMost(`${kind}: size to xdelta3`, ratios.size, most.size);
  atMost(`${kind}: time to xdelta3`, ratios.time, most.time);
  for (const name of ['oursDecode', 'oursDecodeOurs'] as const) {
    atMost(`${kind}: memory of ${name}`, best.get(name)!.peakBytes - best.get('idle')!.peakBytes, most.decodeBytes);
  }
  return { ourBytes, theirBytes, ratios, best: Object.fromEntries(best) };
}

function atMost(name: string, value: number, limit: number): void {
  if (value > limit) missed.push(`${name}: ${value.toFixed(2)}, at most ${limit}`);
}

async function run(argv: readonly string[]): Promise<Measured> {
  const format = ['-f', '%e %U %S %M', '-o', join(folder, 'time')];
  await execa('/usr/bin/time', [...format, ...argv], { stdin: 'ignore' });
  const { stdout } = await execa('cat', [join(folder, 'time')]);
  const [wallSeconds, user, system, peakKib] = stdout.trim().split(' ').map(Number) as [number, number, number, number];
  return { wallSeconds, cpuSeconds: user + system, peakBytes: peakKib * 1024 };
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
