import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findFwup } from '../../../src/firmware/fwup-process.ts';
import { fwupLauncher } from '../../support/flotilla-fwup.ts';
import { golden } from '../../support/fwup-vector.ts';
import { readArchive, sha256 } from '../../support/golden-replay.ts';
import { randomConfig, type RandomConfig } from '../../support/random-config.ts';
import { hasTools } from '../../support/system-tool.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

/** Beside the real program, where it is installed: it and ours take each other's place at every step. */
const real = hasTools('30 generated configurations built and applied by fwup itself', 'fwup')
  ? await findFwup()
  : undefined;
const configurations = fc.sample(randomConfig({ plain: false }), { numRuns: 30, seed: 20_261_125 });

let scratch: Awaited<ReturnType<typeof temporaryDirectory>>;
beforeAll(async () => {
  scratch = await temporaryDirectory();
});
afterAll(() => scratch[Symbol.asyncDispose]());

async function run(who: 'real' | 'ours', cwd: string, ...argv: string[]): Promise<string> {
  const [program, ...first]: [string, ...string[]] = who === 'real' ? [real!] : [process.execPath, fwupLauncher];
  const { stdout, exitCode } = await execa(program, [...first, ...argv], {
    cwd,
    reject: false,
    env: { SOURCE_DATE_EPOCH: String(golden.epoch), TZ: 'UTC', XDG_CACHE_HOME: join(scratch.path, 'cache') },
  });
  expect([exitCode, stdout.includes('fwup: ') ? stdout : '']).toEqual([0, '']);
  return stdout;
}

describe.skipIf(real === undefined)('beside the real fwup', () => {
  it.each(configurations.map((each, index) => [index, each] as const))('configuration %i', async (index, each) => {
    const folder = join(scratch.path, String(index));
    await prepare(folder, each);
    const made: Record<string, unknown> = {};
    for (const who of ['real', 'ours'] as const) {
      await run(who, folder, '-c', '-f', 'fwup.conf', '-o', `${who}.fw`);
      const metadata = await run(who, folder, '-m', '-i', `${who}.fw`); // with the UUID
      made[who] = { ...(await readArchive(join(folder, `${who}.fw`))), metadata };
    }
    expect(made['ours']).toEqual(made['real']);
    const images: string[] = [];
    for (const [who, bundle] of [['real', 'real'], ['real', 'ours'], ['ours', 'real'], ['ours', 'ours']] as const) {
      await rm(join(folder, 'disk.img'), { force: true });
      await run(who, folder, '-a', '-q', '-d', 'disk.img', '-t', 'complete', '-i', `${bundle}.fw`);
      images.push(sha256(await readFile(join(folder, 'disk.img'))));
    }
    expect(new Set(images).size).toBe(1);
  }); // prettier-ignore
});

async function prepare(folder: string, { text, files }: RandomConfig): Promise<void> {
  await mkdir(folder);
  await writeFile(join(folder, 'fwup.conf'), text);
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, name), bytes);
}
