/** Which coordinator a command talks to, and the file that remembers those elsewhere. */
import { chmod, mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createFleet } from '../../../src/provision/create-fleet.ts';
import { flotilla, type RunOption } from '../../support/cli.ts';
import { refusal } from '../../support/refusal.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const place = await temporaryDirectory();
const at = (...path: string[]) => join(place.path, ...path);
const file = at('config', 'flotilla', 'contexts.yaml');
/** Outside of any fleet. */
const run = (args: string[], option: RunOption = {}) =>
  flotilla(args, { cwd: '/', ...option, env: { XDG_CONFIG_HOME: at('config'), ...option.env } });
const add = (name: string, ...more: string[]) => addTrusting(at('fleet', 'pki', 'authority.crt'), name, more);
const addTrusting = (ca: string, name: string, more: string[] = []) => {
  const words = `context add ${name} --host harbour.invalid --port 7444`.split(' ');
  return [...words, '--ca', ca, ...more];
};
const withCertificate = () => {
  const [cert, key] = [at('fleet', 'pki', 'operator-admin.crt'), at('fleet', 'pki', 'operator-admin.key')];
  return ['--cert', cert, '--key', key];
};

beforeAll(async () => {
  const option = { hosts: ['127.0.0.1'], port: 0, passphrase: undefined, nowMs: Date.now() };
  await createFleet({ directory: at('fleet'), fleetId: 'harbour', ...option });
  await createFleet({ directory: at('other'), fleetId: 'other', ...option });
  expect((await run(add('harbour', ...withCertificate()))).exitCode).toBe(0);
});
afterAll(() => place[Symbol.asyncDispose]());

describe('contexts', () => {
  it('are kept in a file that is for its owner alone, without a secret in it', async () => {
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const text = await readFile(file, 'utf8');
    expect(text).toContain('fleetId: harbour');
    expect(text).not.toContain('PRIVATE KEY');
    expect(await readdir(at('config', 'flotilla'))).toEqual(['contexts.yaml']);
  });

  it('are listed, used, shown and removed', async () => {
    await run(add('second', ...withCertificate(), '--use'));
    const listed = (await run(['context', 'list', '--json'])).json();
    expect(listed).toMatchObject([
      { name: 'harbour', current: false, fleetId: 'harbour', operator: { name: 'admin', role: 'admin' } },
      { name: 'second', current: true },
    ]);
    await run(['context', 'use', 'harbour']);
    expect((await run(['context', 'show'])).stdout).toContain('harbour (current)');
    expect((await run(['context', 'remove', 'harbour', '--json'])).json()).toEqual({
      removed: 'harbour',
      wasCurrent: true,
    });
    expect((await refusal(run, ['context', 'show'])).error.code).toBe('context-none');
    await run(['context', 'remove', 'second']);
    await run(add('harbour', ...withCertificate()));
  });

  it.each([
    ['a name of another alphabet', () => add('../x', ...withCertificate()), 'context-name', 2],
    ['one that exists', () => add('harbour', ...withCertificate()), 'context-exists', 6],
    ['a certificate without its key', () => add('x', ...withCertificate().slice(0, 2)), 'context-half-certificate', 2],
    ['two credentials', () => add('x', ...withCertificate(), '--token-file', file), 'context-two-credentials', 2],
    [
      'a leaf as authority',
      () => addTrusting(at('fleet', 'pki', 'coordinator.crt'), 'x'),
      'pki-authority-malformed',
      2,
    ],
    [
      'the certificate of another fleet',
      () => {
        const [cert, key] = [at('other', 'pki', 'operator-admin.crt'), at('other', 'pki', 'operator-admin.key')];
        return add('x', '--cert', cert, '--key', key);
      },
      'context-not-an-operator',
      2,
    ],
  ])('refuse %s', async (_, args, code, exitCode) => {
    const refused = await refusal(run, args());
    expect([refused.error.code, refused.exitCode]).toEqual([code, exitCode]);
  });

  it('refuse a file that others may read or write, and a key that they may', async () => {
    for (const mode of [0o644, 0o620, 0o666]) {
      await chmod(file, mode);
      const { error, exitCode } = await refusal(run, ['device', 'list', '--context', 'harbour']);
      expect([error.code, exitCode]).toEqual(['secret-file-exposed', 6]);
      expect(error.suggestion).toBe(`chmod 600 ${file}`);
    }
    await chmod(file, 0o600);
    const key = at('fleet', 'pki', 'operator-admin.key');
    await chmod(key, 0o640);
    expect((await refusal(run, ['device', 'list', '--context', 'harbour'])).error.code).toBe('secret-file-exposed');
    await chmod(key, 0o600);
  });

  it('refuse a file with a mistake, and say where', async () => {
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace('port: 7444', 'port: 70000'));
    const { error } = await refusal(run, ['device', 'list', '--context', 'harbour']);
    expect(error.position).toMatchObject({ file, line: 4 });
    await writeFile(file, `current: nothing\n${text}`);
    expect((await refusal(run, ['context', 'list'])).error.message).toContain('current names no context');
    await writeFile(file, text);
  });

  it('take a token from a file for its owner alone, or from the environment, never from argv', async () => {
    await writeFile(at('token'), 'x'.repeat(40), { mode: 0o644 });
    expect((await refusal(run, add('ci', '--token-file', at('token')))).error.code).toBe('secret-file-exposed');
    expect((await run(add('ci'))).exitCode).toBe(0);
    expect((await refusal(run, ['device', 'list', '--context', 'ci'])).error.code).toBe('token-not-given');
    const env = { FLOTILLA_TOKEN: 'y'.repeat(40) };
    expect((await refusal(run, ['device', 'list', '--context', 'ci'], { env })).error.code).toBe(
      'coordinator-unreachable',
    );
  });
});

describe('where a command goes', () => {
  const socketOf = (fleet: string) => at(fleet, 'run', 'api.sock');
  const elsewhere = 'harbour.invalid:7444';

  it.each<[string, string[], RunOption, string]>([
    ['a flag', ['--fleet-dir', at('other')], {}, socketOf('other')],
    [
      'a flag over every variable',
      ['--fleet-dir', at('other')],
      { env: { FLOTILLA_CONTEXT: 'harbour', FLOTILLA_FLEET_DIR: at('other') } },
      socketOf('other'),
    ],
    [
      '--context over the folder and the variables',
      ['--context', 'harbour'],
      { cwd: at('other'), env: { FLOTILLA_FLEET_DIR: at('other') } },
      elsewhere,
    ],
    [
      'FLOTILLA_CONTEXT over the other variables',
      [],
      { env: { FLOTILLA_CONTEXT: 'harbour', FLOTILLA_FLEET_DIR: at('other') } },
      elsewhere,
    ],
    [
      'FLOTILLA_SOCKET over the folder',
      [],
      { cwd: at('other'), env: { FLOTILLA_SOCKET: at('no.sock') } },
      at('no.sock'),
    ],
    ['the fleet of this folder over the current context', [], { cwd: at('other') }, socketOf('other')],
    ['the current context', [], {}, elsewhere],
  ])('is said by %s', async (_, flags, option, expected) => {
    await mkdir(at('other'), { recursive: true });
    await run(['context', 'use', 'harbour']);
    const { error, exitCode } = await refusal(run, ['device', 'list', ...flags], option);
    expect([error.code, exitCode]).toEqual(['coordinator-unreachable', 7]);
    expect(error.seen).toContain(expected);
  });

  it('is an error when two flags say it, and when a context is unknown', async () => {
    const both = await refusal(run, ['device', 'list', '--context', 'harbour', '--fleet-dir', at('fleet')]);
    expect([both.error.code, both.exitCode]).toEqual(['target-ambiguous', 2]);
    const unknown = await refusal(run, ['device', 'list', '--context', 'nowhere']);
    expect([unknown.error.code, unknown.error.expected]).toEqual(['context-unknown', 'ci, harbour']);
  });
});
