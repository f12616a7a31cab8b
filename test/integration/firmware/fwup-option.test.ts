/** What flotilla-fwup does as fwup does it, and the golden data does not show. */
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findFwup } from '../../../src/firmware/fwup-process.ts';
import { applyBundle, readPublicKey } from '../../../src/firmware/index.ts';
import { fwupLauncher } from '../../support/flotilla-fwup.ts';
import { vectors } from '../../support/fwup-vector.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

let scratch: Awaited<ReturnType<typeof temporaryDirectory>>;
let cwd: string;
const real = await findFwup();
/** Both where there are two; else ours alone. */
const programs: [string, string[]][] = [
  ['flotilla-fwup', [process.execPath, fwupLauncher]],
  ...(real === undefined ? [] : ([['fwup', [real]]] as [string, string[]][])),
];

beforeAll(async () => {
  scratch = await temporaryDirectory();
  cwd = scratch.path;
  await cp(join(vectors, 'keys'), cwd, { recursive: true });
  await writeFile(
    join(cwd, 'fwup.conf'),
    `define(A, "one") define(A, "two") define!(B, "three")
file-resource d.bin { host-path = "d.bin" }
task complete {
  on-init { fat_mkfs(0, 200) fat_attrib(0, "missing", "R") fat_touch(0, "there") fat_attrib(0, "there", "RH") }
  on-resource d.bin { fat_write(0, "d.bin") }
}
`,
  );
  await writeFile(join(cwd, 'd.bin'), Buffer.alloc(1024, 'd'));
});
afterAll(() => scratch[Symbol.asyncDispose]());

describe.each(programs)('%s', (_name, [program = '', ...first]) => {
  const run = (...args: string[]) => execa(program, [...first, ...args], { cwd, reject: false });

  it('tells with -v what it defines, and that a signature is not looked at', async () => {
    const made = await run('-v', '-c', '-f', 'fwup.conf', '-o', 'v.fw', '-s', 'alpha.priv');
    const lines = made.stdout.split('\n').filter((line) => /efining/.test(line));
    expect([made.exitCode, lines]).toEqual([
      0,
      [
        "fwup: Defining 'A'='one'",
        "fwup: Defining 'A'='two'",
        "fwup: Not defining 'A'. Already set to 'one'",
        "fwup: Defining 'B'='three'",
        "fwup: Defining 'FWUP_SIZE_d_bin'='1024'",
      ],
    ]);
    const unproved = 'fwup: Firmware archive is signed, but signature verification is off.';
    for (const args of [['-m'], ['-l'], ['-V'], ['-a', '-q', '-d', 'v.img', '-t', 'complete']]) {
      expect((await run('-v', ...args, '-i', 'v.fw')).stdout).toContain(unproved);
      expect((await run(...args, '-i', 'v.fw')).stdout).not.toContain(unproved);
      expect((await run('-v', ...args, '-i', 'v.fw', '-p', 'alpha.pub')).stdout).not.toContain(unproved);
    }
  });

  it('passes over fat_attrib of a file that is not there', async () => {
    await run('-c', '-f', 'fwup.conf', '-o', 'a.fw');
    const applied = await run('-a', '-q', '-i', 'a.fw', '-d', 'a.img', '-t', 'complete');
    expect([applied.exitCode, applied.stdout]).toEqual([0, '']);
    expect((await readFile(join(cwd, 'a.img'))).includes('THERE   ')).toBe(true);
  });
});

it('is refused by the engine itself: what a bundle asks for and does not get is an error', async () => {
  await execa(process.execPath, [fwupLauncher, '-c', '-f', 'fwup.conf', '-o', 's.fw', '-s', 'alpha.priv'], { cwd });
  const publicKeys = [await readPublicKey(join(cwd, 'alpha.pub'))];
  const option = { path: join(cwd, 's.fw'), destinationPath: join(cwd, 's.img'), task: 'complete', publicKeys };
  await expect(applyBundle({ ...option, engine: 'builtin' })).rejects.toMatchObject({ code: 'firmware-fat-no-file' });
});
