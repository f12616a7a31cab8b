/** The agent as one file: alone in a folder, with nothing of this package beside it. */
import { copyFile, mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { top } from '../support/cli.ts';
import { createFleet, type TestFleet } from '../support/fleet.ts';
import { temporaryDirectory } from '../support/temporary.ts';

let scratch: Awaited<ReturnType<typeof temporaryDirectory>>;
let fleet: TestFleet;
let file: string;
beforeAll(async () => {
  scratch = await temporaryDirectory();
  fleet = await createFleet();
  const alone = join(scratch.path, 'alone');
  await mkdir(alone);
  file = join(alone, 'flotilla-agent.js');
  await copyFile(join(top, 'dist', 'agent', 'flotilla-agent.js'), file);
});
afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
  await scratch[Symbol.asyncDispose]();
});

const run = (args: string[], cwd = scratch.path) =>
  execa(process.execPath, [file, ...args], { reject: false, stdin: 'ignore', cwd, env: { NODE_PATH: '' } });

describe('the one file', () => {
  it('is at most 1.5 MB and needs nothing but builtins of Node', async () => {
    expect((await stat(file)).size).toBeLessThanOrEqual(1_500_000);
    const required = [...(await readFile(file, 'utf8')).matchAll(/\brequire\([`'"]([^`'"]+)[`'"]\)/g)];
    expect(required.length).toBeGreaterThan(10);
    expect(required.map(([, name]) => name).filter((name) => !isBuiltin(name!))).toEqual([]);
    expect(await readdir(join(file, '..'))).toEqual(['flotilla-agent.js']);
  });

  it('tells its version, its commands, and what it does not understand', async () => {
    const { version } = JSON.parse(await readFile(join(top, 'package.json'), 'utf8')) as { version: string };
    expect(await run(['--version'])).toMatchObject({ exitCode: 0, stdout: version });
    expect((await run(['--help'])).stdout).toContain('run --config FILE');
    expect(await run(['dance'])).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('seen:     dance') });
    expect(await run(['csr', '--it', 'x'])).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('--id ID') });
  });

  it('makes a key and a request on the device, and the same request again for a key that is there', async () => {
    const dir = join(scratch.path, 'keys');
    const first = await run(['csr', '--id', 'd-1', '--dir', dir, '--json']);
    expect(JSON.parse(first.stdout)).toMatchObject({ deviceId: 'd-1', keyKept: false });
    expect((await stat(join(dir, 'device.key'))).mode & 0o777).toBe(0o600);
    const key = await readFile(join(dir, 'device.key'), 'utf8');
    expect(JSON.parse((await run(['csr', '--id', 'd-1', '--dir', dir, '--json'])).stdout).keyKept).toBe(true);
    expect(await readFile(join(dir, 'device.key'), 'utf8')).toBe(key);
    const signed = await fleet.cli(['cert', 'sign', join(dir, 'device.csr'), '--out', join(dir, 'd.crt'), '--json']);
    expect(signed.exitCode).toBe(0);
  });

  it('is a whole agent: connects, tells its grains, runs jobs, stops in order', async () => {
    const agent = await fleet.addAgent('lone');
    await agent.kill();
    const child = run(['run', '--config', join(agent.dir, 'agent.yaml')], agent.dir);
    try {
      await fleet.connected('lone');
      const job = await fleet.cli(['run', 'lone', '--json', '--', 'echo', 'one file']);
      expect(job.exitCode).toBe(0);
      expect(job.stdout).toContain('one file');
    } finally {
      child.kill('SIGTERM');
    }
    expect((await child).exitCode).toBe(0);
  });

  it('says what it needs under a Node that is too old, even one that can not read its syntax', async () => {
    // An older Node is no part of this checkout: the same file, told that it runs under one.
    const old = join(scratch.path, 'old.cjs');
    const text = await readFile(file, 'utf8');
    const pretended = text.replace('process.versions.node', "'18.19.0'");
    await writeFile(old, pretended);
    const said = await execa(process.execPath, [old, '--version'], { reject: false });
    expect(said).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('needs Node 24 or newer') });
    // The first line that an ancient parser stumbles over is the one that says why.
    const [shebang, strict, guard] = text.split('\n');
    expect([shebang, strict]).toEqual(['#!/usr/bin/env node', "'use strict';"]);
    expect(guard).toMatch(/^class .*static \{ \}.*needs Node 24 or newer/);
  });
});
