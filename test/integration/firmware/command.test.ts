import { chmod, cp, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findFwup } from '../../../src/firmware/fwup-process.ts';
import { flotilla } from '../../support/cli.ts';
import { vectors } from '../../support/fwup-vector.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const fwup = await findFwup();
let scratch: Awaited<ReturnType<typeof temporaryDirectory>>;
let cwd: string;

beforeAll(async () => {
  scratch = await temporaryDirectory();
  cwd = scratch.path;
  await cp(join(vectors, 'unsigned', 'payload.bin'), join(cwd, 'payload.bin'));
  await writeFile(
    join(cwd, 'fwup.conf'),
    `define(VERSION, "0.0.0")
meta-product = "gateway"
meta-version = \${VERSION}
file-resource payload { host-path = "payload.bin" }
task complete { on-resource payload { raw_write(8) } }
`,
  );
});
afterAll(() => scratch[Symbol.asyncDispose]());

const run = (...args: string[]) => flotilla(['firmware', ...args], { cwd });

describe('flotilla firmware', () => {
  it('makes keys, builds, verifies, signs again and inspects', async () => {
    const keys = await run('keygen', 'mine', '--json');
    expect(keys.json()).toEqual({ publicKeyPath: 'mine.pub', privateKeyPath: 'mine.priv' });
    await run('keygen', 'other');
    const built = await run('build', '-o', 'a.fw', '--key', 'mine.priv', '--define', 'VERSION=1.2.3', '--json');
    expect(built.json()).toMatchObject({ product: 'gateway', version: '1.2.3', signed: true, tasks: ['complete'] });
    const verified = await run('verify', 'a.fw', '--key', 'other.pub', '--key', 'mine.pub', '--json');
    expect([verified.exitCode, verified.json().uuid]).toEqual([0, built.json().uuid]);
    const signed = await run('sign', 'a.fw', '-o', 'b.fw', '--key', 'other.priv', '--json');
    expect(signed.json().uuid).toBe(built.json().uuid);
    expect((await run('verify', 'b.fw', '--key', 'mine.pub', '--json')).json().error.code).toBe('firmware-wrong-key');
    const shown = await run('inspect', 'b.fw');
    expect(shown.stdout).toMatch(/product: +gateway 1\.2\.3\n[^]*signature: +there, not checked\n/);
  });

  it('finds the keys of the fleet around it', async () => {
    const fleet = join(cwd, 'fleet');
    await mkdir(join(fleet, 'keys'), { recursive: true });
    await mkdir(join(fleet, 'deep', 'er'), { recursive: true });
    await writeFile(join(fleet, 'coordinator.yaml'), 'fleetId: x\n');
    await run('keygen', 'fleet/keys/firmware');
    const inFleet = { cwd: join(fleet, 'deep', 'er') };
    const built = await flotilla(['firmware', 'build', '-f', '../../../fwup.conf', '-o', 'f.fw'], inFleet);
    expect(built.exitCode).toBe(0);
    expect((await flotilla(['firmware', 'verify', 'f.fw'], inFleet)).exitCode).toBe(0);
    expect((await run('verify', 'fleet/deep/er/f.fw', '--fleet-dir', 'fleet')).exitCode).toBe(0);
  });

  it('does not build unsigned by accident, and says so when it is asked to', async () => {
    const accident = await run('build', '-o', 'u.fw', '--json');
    expect([accident.exitCode, accident.json().error.code]).toEqual([6, 'firmware-no-key']);
    const asked = await run('build', '-o', 'u.fw', '--unsigned', '--json');
    expect([asked.exitCode, asked.json().signed]).toEqual([0, false]);
    expect(asked.stderr).toContain('not signed');
    const refused = await run('verify', 'u.fw', '--key', join(vectors, 'keys', 'alpha.pub'), '--json');
    expect([refused.exitCode, refused.json().error.code]).toEqual([6, 'firmware-unsigned']);
  });

  it('points at the place of a mistake and exits with 2', async () => {
    await writeFile(join(cwd, 'bad.conf'), 'meta-product = "x"\ntask t {\n    on-init { raw_memset(1, 2) }\n}\n');
    const text = await run('build', '-f', 'bad.conf', '-o', 'bad.fw', '--unsigned');
    expect(text.exitCode).toBe(2);
    expect(text.stderr).toContain('bad.conf:3:15: wrong number of arguments for raw_memset');
    expect(text.stderr).toContain('raw_memset(BLOCK, COUNT, VALUE)');
    const json = await run('build', '-f', 'bad.conf', '-o', 'bad.fw', '--unsigned', '--json');
    expect(json.json().error.position).toEqual({ file: 'bad.conf', line: 3, column: 15 });
    expect((await readdir(cwd)).filter((name) => name.startsWith('bad') || name.startsWith('.bad'))).toEqual([
      'bad.conf',
    ]);
  });

  it('gives the same file for the same input and date, whatever the clock', async () => {
    const key = join(cwd, 'repro.priv');
    await cp(join(vectors, 'keys', 'alpha.priv'), key);
    await chmod(key, 0o600);
    for (const name of ['r1.fw', 'r2.fw']) {
      const option = { cwd, env: { SOURCE_DATE_EPOCH: '1700000000' } };
      expect((await flotilla(['firmware', 'build', '-o', name, '--key', key], option)).exitCode).toBe(0);
    }
    expect((await readFile(join(cwd, 'r1.fw'))).equals(await readFile(join(cwd, 'r2.fw')))).toBe(true);
  });

  it.skipIf(fwup !== undefined)('says what to do when fwup is asked for and not there', async () => {
    const ran = await run('build', '-o', 'x.fw', '--unsigned', '--engine', 'fwup', '--json');
    expect([ran.exitCode, ran.json().error.code]).toEqual([2, 'fwup-not-found']);
  });

  it.skipIf(fwup === undefined)('gives the same UUID through fwup, which verifies ours and we its', async () => {
    await run('keygen', 'both');
    for (const [first, second] of [
      ['builtin', 'fwup'],
      ['fwup', 'builtin'],
    ] as const) {
      const built = await run('build', '-o', `${first}.fw`, '--key', 'both.priv', '--engine', first, '--json');
      const verified = await run('verify', `${first}.fw`, '--key', 'both.pub', '--engine', second, '--json');
      expect([verified.exitCode, verified.json().uuid]).toEqual([0, built.json().uuid]);
    }
  });
});

describe('a full disk', async () => {
  const mount = await temporaryDirectory();
  const mounted = await execa('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', mount.path], { reject: false });
  afterAll(async () => {
    if (mounted.exitCode === 0) await execa('umount', [mount.path]);
    await mount[Symbol.asyncDispose]();
  });

  it.skipIf(mounted.exitCode !== 0)('leaves nothing half-written, and what was there as it was', async () => {
    const random = join(cwd, 'random.bin');
    await execa('dd', ['if=/dev/urandom', `of=${random}`, 'bs=1024', 'count=256']);
    await writeFile(join(cwd, 'large.conf'), 'file-resource r { host-path = "random.bin" }\n');
    await writeFile(join(mount.path, 'out.fw'), 'what was there');
    const ran = await run('build', '-f', 'large.conf', '-o', join(mount.path, 'out.fw'), '--unsigned', '--json');
    expect([ran.exitCode, ran.json().error.code]).toEqual([4, 'disk-full']);
    expect(await readdir(mount.path)).toEqual(['out.fw']);
    expect((await stat(join(mount.path, 'out.fw'))).size).toBe(14);
  });
});
