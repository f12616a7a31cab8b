/**
 * How fast bundles are made, checked and written, and in how much memory: one JSON document on stdout, progress on
 * stderr, exit code 1 when a target is missed. Each contender does the same to the same 256 MiB; the best of three
 * runs counts, so that a busy machine counts less. Needs the build, GNU time and two free cores.
 */
import { createCipheriv } from 'node:crypto';
import { chmod, cp, mkdtemp, open, rm, stat, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { findFwup } from '../../src/firmware/fwup-process.ts';
import { fwupLauncher } from '../support/flotilla-fwup.ts';
import { vectors } from '../support/fwup-vector.ts';

const sizeBytes = 256 * 1024 * 1024;
const runs = 3;
const most = { createToGzip: 0.6, verifyToSha256sum: 1.3, applyToDd: 2, peakBytes: 120 * 1024 * 1024 };

interface Measured {
  wallSeconds: number;
  cpuSeconds: number;
  peakBytes: number;
}

const missed: string[] = [];
const folder = await mkdtemp(join(tmpdir(), 'flotilla-bench-'));
try {
  const real = await findFwup();
  await cp(join(vectors, 'keys'), folder, { recursive: true });
  await chmod(join(folder, 'alpha.priv'), 0o600);
  const inputs: Record<string, object> = {};
  for (const kind of ['random', 'half-zero'] as const) inputs[kind] = await measureInput(kind, real);
  const machine = { cores: availableParallelism(), cpu: cpus()[0]?.model, load: loadavg() };
  process.stdout.write(`${JSON.stringify({ sizeBytes, runs, most, machine, node: process.version, fwup: real ?? null, inputs, missed }, null, 2)}\n`); // prettier-ignore
} finally {
  await rm(folder, { recursive: true, force: true });
}
if (missed.length > 0) {
  process.stderr.write(`missed: ${missed.join('; ')}\n`);
  process.exitCode = 1;
}

async function measureInput(kind: 'random' | 'half-zero', real: string | undefined): Promise<object> {
  const input = join(folder, `${kind}.bin`);
  const image = join(folder, 'disk.img');
  await writeInput(input, kind);
  await writeFile(
    join(folder, `${kind}.conf`),
    `file-resource d { host-path = "${kind}.bin" } task complete { on-resource d { raw_write(0) } }`,
  );
  const steps = (bundle: string): Record<'create' | 'verify' | 'apply', string[]> => ({
    create: ['-c', '-f', `${kind}.conf`, '-o', bundle, '-s', 'alpha.priv'],
    verify: ['-V', '-i', bundle, '-p', 'alpha.pub'],
    apply: ['-a', '-q', '-i', bundle, '-p', 'alpha.pub', '-d', image, '-t', 'complete'],
  });
  const ours = steps('ours.fw');
  const result = {
    gzip: await measure(['gzip', '-9', '-k', '-f', `${kind}.bin`]),
    sha256sum: await measure(['sha256sum', `${kind}.bin`]),
    dd: await measure(['dd', `if=${input}`, `of=${image}`, 'bs=1M', 'conv=fsync', 'status=none'], image),
    create: await measure([process.execPath, fwupLauncher, ...ours.create]),
    verify: await measure([process.execPath, fwupLauncher, ...ours.verify]),
    apply: await measure([process.execPath, fwupLauncher, ...ours.apply], image),
  };
  const ratios = {
    createToGzip: result.create.wallSeconds / result.gzip.wallSeconds,
    verifyToSha256sum: result.verify.wallSeconds / result.sha256sum.wallSeconds,
    applyToDd: result.apply.wallSeconds / result.dd.wallSeconds,
  };
  for (const [name, ratio] of Object.entries(ratios)) {
    const limit = most[name as keyof typeof ratios];
    if (ratio > limit) missed.push(`${kind} ${name} ${ratio.toFixed(2)}, expected at most ${limit}`);
  }
  for (const step of ['create', 'verify', 'apply'] as const) {
    const { peakBytes } = result[step];
    if (peakBytes > most.peakBytes) missed.push(`${kind} ${step} took ${peakBytes} bytes of memory`);
  }
  const bundleBytes = (await stat(join(folder, 'ours.fw'))).size;
  return { ...result, ratios, bundleBytes, ...(real === undefined ? {} : { fwup: await measureReal(real, steps('real.fw'), image) }) }; // prettier-ignore
}

async function measureReal(real: string, steps: Record<string, string[]>, image: string): Promise<object> {
  const measured: Record<string, Measured> = {};
  for (const [step, argv] of Object.entries(steps)) measured[step] = await measure([real, ...argv], image);
  return measured;
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

/** GNU time tells CPU and memory of a child; the wall clock is ours. `fresh` is removed before each run. */
async function measure(command: string[], fresh?: string): Promise<Measured> {
  const all: Measured[] = [];
  for (let turn = 0; turn < runs; turn++) {
    if (fresh !== undefined) await rm(fresh, { force: true });
    const start = performance.now();
    const { stderr } = await execa('/usr/bin/time', ['-f', '%U %S %M', ...command], { cwd: folder, stdout: 'ignore' });
    const wallSeconds = (performance.now() - start) / 1000;
    const [user = 0, system = 0, kibibytes = 0] = stderr.split('\n').at(-1)!.split(' ').map(Number);
    all.push({ wallSeconds, cpuSeconds: user + system, peakBytes: kibibytes * 1024 });
    process.stderr.write(`${command.slice(0, 3).join(' ')}: ${wallSeconds.toFixed(2)} s\n`);
  }
  return {
    wallSeconds: Math.min(...all.map((each) => each.wallSeconds)),
    cpuSeconds: Math.min(...all.map((each) => each.cpuSeconds)),
    peakBytes: Math.max(...all.map((each) => each.peakBytes)),
  };
}
