/**
 * How fast bundles are made, checked and written, and in how much memory, and how fast the two programs start: one JSON
 * document on stdout, progress on stderr, exit code 1 when a target is missed. Every round runs each contender once on
 * the same 256 MiB, so that they share what else the machine does; the best round of each counts. `floors` are what
 * applying can't do without: BLAKE2b-256 of the data by coreutils in C, and inflating by node:zlib and by Python's zlib.
 * Needs the build, GNU time and two free cores.
 */
import { createCipheriv } from 'node:crypto';
import { chmod, cp, mkdtemp, open, rm, stat, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { findFwup } from '../../src/firmware/fwup-process.ts';
import { launcher } from '../support/cli.ts';
import { fwupLauncher } from '../support/flotilla-fwup.ts';
import { vectors } from '../support/fwup-vector.ts';

const sizeBytes = 256 * 1024 * 1024;
const rounds = Number(process.env['ROUNDS'] ?? 5);
const startRounds = 15;
const most = {
  createToGzip: 0.6,
  verifyToSha256sum: 1.3,
  applyToDd: 2,
  peakBytes: 120 * 1024 * 1024,
  startMs: { 'flotilla-fwup': 90, flotilla: 120 },
  startToNode: { 'flotilla-fwup': 2.5, flotilla: 3.3 },
};

interface Contender {
  readonly argv: readonly string[];
  /** Removed before each run. */
  readonly fresh?: string;
}

interface Measured {
  wallSeconds: number;
  cpuSeconds: number;
  peakBytes: number;
}

/** The deflate stream of the last member, found by its name; what it makes is dropped. */
const nodeInflate = `
const bytes = require('node:fs').readFileSync(process.argv[1]);
const inflate = require('node:zlib').createInflateRaw({ chunkSize: 1 << 18 });
inflate.resume().end(bytes.subarray(bytes.indexOf('data/d') + 26));`;
const pythonInflate = `
import sys, zlib
data = memoryview(open(sys.argv[1], 'rb').read())
at = bytes(data[:65536]).index(b'data/d') + 26
inflate = zlib.decompressobj(-15)
while not inflate.eof:
    inflate.decompress(data[at:at + 65536])
    at += 65536`;

const missed: string[] = [];
const folder = await mkdtemp(join(tmpdir(), 'flotilla-bench-'));
try {
  const real = await findFwup();
  await cp(join(vectors, 'keys'), folder, { recursive: true });
  await chmod(join(folder, 'alpha.priv'), 0o600);
  const loadBefore = loadavg();
  const start = await measureStart();
  const inputs: Record<string, object> = {};
  for (const kind of ['random', 'half-zero'] as const) inputs[kind] = await measureInput(kind, real);
  const machine = { cores: availableParallelism(), cpu: cpus()[0]?.model, loadBefore, loadAfter: loadavg() };
  const document = {
    sizeBytes,
    rounds,
    most,
    machine,
    node: process.version,
    fwup: real ?? null,
    start,
    inputs,
    missed,
  };
  process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
} finally {
  await rm(folder, { recursive: true, force: true });
}
if (missed.length > 0) {
  process.stderr.write(`missed: ${missed.join('; ')}\n`);
  process.exitCode = 1;
}

async function measureStart(): Promise<object> {
  const measured = await measureAll(startRounds, {
    node: { argv: [process.execPath, '-e', '0'] },
    'flotilla-fwup': { argv: [process.execPath, fwupLauncher, '--version'] },
    flotilla: { argv: [process.execPath, launcher, '--version'] },
  });
  const ms = (name: keyof typeof measured): number => measured[name].wallSeconds * 1000;
  for (const name of ['flotilla-fwup', 'flotilla'] as const) {
    atMost(`${name} --version in ms`, ms(name), most.startMs[name]);
    atMost(`${name} --version to node -e 0`, ms(name) / ms('node'), most.startToNode[name]);
  }
  return measured;
}

async function measureInput(kind: 'random' | 'half-zero', real: string | undefined): Promise<object> {
  const input = join(folder, `${kind}.bin`);
  const image = join(folder, 'disk.img');
  await writeInput(input, kind);
  await writeFile(
    join(folder, `${kind}.conf`),
    `file-resource d { host-path = "${kind}.bin" } task complete { on-resource d { raw_write(0) } }`,
  );
  const steps = (program: string[], bundle: string): Record<'create' | 'verify' | 'apply', Contender> => ({
    create: { argv: [...program, '-c', '-f', `${kind}.conf`, '-o', bundle, '-s', 'alpha.priv'] },
    verify: { argv: [...program, '-V', '-i', bundle, '-p', 'alpha.pub'] },
    apply: {
      argv: [...program, '-a', '-q', '-i', bundle, '-p', 'alpha.pub', '-d', image, '-t', 'complete'],
      fresh: image,
    },
  });
  const { create, verify, apply } = steps([process.execPath, fwupLauncher], 'ours.fw');
  const { gzip } = await measureAll(Math.min(rounds, 3), { gzip: { argv: ['gzip', '-9', '-k', '-f', `${kind}.bin`] }, create }); // prettier-ignore
  const theirs = real === undefined ? {} : prefixed(steps([real], 'real.fw'));
  const measured = await measureAll(rounds, {
    sha256sum: { argv: ['sha256sum', `${kind}.bin`] },
    dd: { argv: ['dd', `if=${input}`, `of=${image}`, 'bs=1M', 'conv=fsync', 'status=none'], fresh: image },
    create,
    verify,
    apply,
    b2sum: { argv: ['b2sum', '-l', '256', `${kind}.bin`] },
    nodeInflate: { argv: [process.execPath, '-e', nodeInflate, 'ours.fw'] },
    pythonInflate: { argv: ['python3', '-c', pythonInflate, 'ours.fw'] },
    ...theirs,
  });
  const wall = (name: keyof typeof measured): number => measured[name].wallSeconds;
  const ratios = {
    createToGzip: wall('create') / gzip.wallSeconds,
    verifyToSha256sum: wall('verify') / wall('sha256sum'),
    applyToDd: wall('apply') / wall('dd'),
  };
  for (const [name, ratio] of Object.entries(ratios))
    atMost(`${kind} ${name}`, ratio, most[name as keyof typeof ratios]);
  for (const step of ['create', 'verify', 'apply'] as const) {
    atMost(`${kind} peak bytes of ${step}`, measured[step].peakBytes, most.peakBytes);
  }
  const floors = {
    blake2bToDd: wall('b2sum') / wall('dd'),
    nodeInflateToDd: wall('nodeInflate') / wall('dd'),
    pythonInflateToDd: wall('pythonInflate') / wall('dd'),
  };
  const bytes = async (name: string): Promise<number> => (await stat(join(folder, name))).size;
  const sizes = { bundleBytes: await bytes('ours.fw'), gzipBytes: await bytes(`${kind}.bin.gz`) };
  return { gzip, ...measured, ratios, floors, ...sizes };
}

function prefixed(steps: Record<string, Contender>): Record<string, Contender> {
  return Object.fromEntries(Object.entries(steps).map(([name, each]) => [`fwup-${name}`, each]));
}

function atMost(name: string, seen: number, limit: number): void {
  if (seen > limit) missed.push(`${name} ${seen.toFixed(2)}, expected at most ${limit}`);
}

/** A keystream: nothing in it shrinks. Half-zero: 64 KiB of it, 64 KiB of zeros, and so on. */
async function writeInput(path: string, kind: 'random' | 'half-zero'): Promise<void> {
  const stream = createCipheriv('aes-128-ctr', Buffer.alloc(16, 1), Buffer.alloc(16));
  const zeros = Buffer.alloc(64 * 1024);
  const handle = await open(path, 'w');
  for (let at = 0; at < sizeBytes; at += zeros.length) {
    const isZero = kind === 'half-zero' && (at / zeros.length) % 2 === 1;
    await handle.write(isZero ? zeros : stream.update(zeros));
  }
  await handle.close();
}

/** Round by round, each contender in its turn. */
async function measureAll<Name extends string>(
  count: number,
  contenders: Record<Name, Contender>,
): Promise<Record<Name, Measured>> {
  const best = {} as Record<Name, Measured>;
  for (let round = 0; round < count; round++) {
    for (const [name, contender] of Object.entries(contenders) as [Name, Contender][]) {
      const seen = await measureOnce(contender);
      const known = best[name] ?? seen;
      best[name] = {
        wallSeconds: Math.min(known.wallSeconds, seen.wallSeconds),
        cpuSeconds: Math.min(known.cpuSeconds, seen.cpuSeconds),
        peakBytes: Math.max(known.peakBytes, seen.peakBytes),
      };
      process.stderr.write(`${name}: ${seen.wallSeconds.toFixed(3)} s\n`);
    }
  }
  return best;
}

/** GNU time tells CPU and memory of a child; the wall clock is ours. */
async function measureOnce({ argv, fresh }: Contender): Promise<Measured> {
  if (fresh !== undefined) await rm(fresh, { force: true });
  const start = performance.now();
  const { stderr } = await execa('/usr/bin/time', ['-f', '%U %S %M', ...argv], { cwd: folder, stdout: 'ignore' });
  const wallSeconds = (performance.now() - start) / 1000;
  const [user = 0, system = 0, kibibytes = 0] = stderr.split('\n').at(-1)!.split(' ').map(Number);
  return { wallSeconds, cpuSeconds: user + system, peakBytes: kibibytes * 1024 };
}
