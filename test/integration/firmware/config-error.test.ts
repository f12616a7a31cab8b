import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FlotillaError } from '../../../src/error.ts';
import { buildBundle } from '../../../src/firmware/index.ts';
import { flagOf, goldenCase, readVector, vectors } from '../../support/fwup-vector.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

let scratch: Awaited<ReturnType<typeof temporaryDirectory>>;
beforeAll(async () => {
  scratch = await temporaryDirectory();
  await cp(join(vectors, 'config-errors', 'tiny.bin'), join(scratch.path, 'tiny.bin'));
});
afterAll(() => scratch[Symbol.asyncDispose]());

async function build(name: string, text: string): Promise<FlotillaError | undefined> {
  const configPath = join(scratch.path, `${name}.conf`);
  await writeFile(configPath, text);
  try {
    await buildBundle({ configPath, outputPath: join(scratch.path, `${name}.fw`), engine: 'builtin' });
    return undefined;
  } catch (error) {
    if (error instanceof FlotillaError) return error;
    throw error;
  }
}

const texts = JSON.parse(readVector('config-errors', 'all.json').toString()) as Record<string, string>;
const steps = goldenCase('config-errors').steps.map((step) => ({
  ...step,
  name: flagOf(step, '-f')!.replace('.conf', ''),
}));

describe('configurations that fwup refuses', () => {
  it.each(steps)('$name', async ({ name, exit, stderr = '' }) => {
    const error = await build(name, texts[name]!);
    if (exit === 0) {
      expect(error).toBeUndefined();
      return;
    }
    expect(error).toMatchObject({ fault: 'usage', code: expect.stringMatching(/^firmware-/) });
    expect(error!.detail.position).toMatchObject({
      file: join(scratch.path, `${name}.conf`),
      line: expect.any(Number),
      column: expect.any(Number),
    });
    const line = /^[^:]+:(\d+):/.exec(stderr)?.[1];
    if (line !== undefined) expect(error!.detail.position!.line).toBe(Number(line));
    expect(existsSync(join(scratch.path, `${name}.fw`))).toBe(false);
  });
});

describe('configurations that only this engine refuses', () => {
  const withResource = (rest: string) => `file-resource r { host-path = "tiny.bin" ${rest} }`;

  it.each([
    ['a name that climbs', 'file-resource "../x" { contents = "x" }', 'is not safe'],
    ['a name that is the signature', 'file-resource "/meta.conf.ed25519" { contents = "x" }', "can't be named"],
    ['a negative block', `${withResource('')} task t { on-resource r { raw_write(-1) } }`, 'wrong argument'],
    ['an unknown action', 'task t { on-init { raw_wirte(0) } }', 'no such action'],
    ['a requirement in on-init', 'task t { on-init { require-execute(a) } }', 'no such action'],
    ['a meta.conf that nothing can read', `meta-misc = "${'x'.repeat(50_000)}"`, 'meta.conf that nothing reads'],
  ])('%s', async (_what, text, message) => {
    const error = await build('refused', text);
    expect(error!.fault).toBe('usage');
    expect(error!.message).toContain(message);
  });
});

describe('what a configuration is read from', () => {
  it('a missing file and a folder are told apart from a bad text', async () => {
    for (const configPath of [join(scratch.path, 'nowhere.conf'), scratch.path]) {
      const run = buildBundle({ configPath, outputPath: join(scratch.path, 'x.fw') });
      await expect(run).rejects.toMatchObject({ code: 'firmware-config-unreadable', fault: 'usage' });
    }
  });

  it('includes and resources are relative to the file that names them', async () => {
    await mkdir(join(scratch.path, 'sub'));
    await writeFile(join(scratch.path, 'sub', 'data.bin'), 'data');
    await writeFile(join(scratch.path, 'sub', 'part.conf'), 'file-resource d { host-path = "data.bin" }');
    expect(
      await build('including', 'include("sub/part.conf") task t { on-resource d { raw_write(0) } }'),
    ).toBeUndefined();
  });

  it('a file that ends inside a section is built with a warning', async () => {
    const configPath = join(scratch.path, 'open.conf');
    await writeFile(configPath, 'task t {\n  on-init { info(hello) }\n');
    const warnings: unknown[] = [];
    const onWarning = (warning: unknown) => warnings.push(warning);
    await buildBundle({ configPath, outputPath: join(scratch.path, 'open.fw'), onWarning });
    expect(warnings).toEqual([
      { message: 'the file ends inside task t', position: { file: configPath, line: 3, column: 1 } },
    ]);
  });

  it('no temporary file stays behind', async () => {
    expect((await readdir(scratch.path)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});
