/** `flotilla init` as it is typed. Judged by openssl, by the file system and by a second run. */
import { chmod, mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadCoordinatorConfig } from '../../../src/config/coordinator-config.ts';
import { fleetLayout } from '../../../src/config/fleet-layout.ts';
import { loadIssuingAuthority, loadRootAuthority } from '../../../src/pki/authority.ts';
import { readPrivateKey, readPublicKey } from '../../../src/firmware/archive/key.ts';
import { flotilla, launcher } from '../../support/cli.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const passphrase = 'correct horse battery';
let scratch: Awaited<ReturnType<typeof temporaryDirectory>>;
let passphraseFile: string;
beforeAll(async () => {
  scratch = await temporaryDirectory();
  passphraseFile = join(scratch.path, 'root.pass');
  await writeFile(passphraseFile, `${passphrase}\n`, { mode: 0o600 });
});
afterAll(() => scratch[Symbol.asyncDispose]());

const at = (name: string) => join(scratch.path, name);
const run = (...args: string[]) => flotilla(['init', ...args], { cwd: scratch.path });

describe('flotilla init', () => {
  it('makes a whole fleet and says what to do next', async () => {
    const ran = await run('whole', '--name', 'harbour', '--host', 'fleet.example.org', '--host', '192.0.2.7',
      '--port', '0', '--passphrase-file', passphraseFile, '--json'); // prettier-ignore
    expect(ran).toMatchObject({ exitCode: 0, stderr: '' });
    const data = ran.json();
    expect(data).toMatchObject({ dir: at('whole'), port: 0, rootKeyIsEncrypted: true });
    expect(data.fleetId).toMatch(/^harbour-[a-z2-9]{6}$/);
    expect(data.next[0].command).toBe(`cd ${at('whole')} && flotilla coordinator start`);
    await Promise.all(Object.values<string>(data.files).map((path) => stat(path)));

    const layout = fleetLayout(at('whole'));
    const config = await loadCoordinatorConfig(layout.config);
    expect(config).toMatchObject({
      fleetId: data.fleetId,
      listen: { host: '0.0.0.0', port: 0 },
      hosts: ['fleet.example.org', '192.0.2.7'],
    });
    expect(await readFile(layout.config, 'utf8')).toContain('# Processes that terminate TLS');

    const root = { certificateFile: layout.rootCertificate, keyFile: layout.rootKeyEncrypted };
    expect((await loadRootAuthority({ ...root, passphrase })).fleetId).toBe(data.fleetId);
    const issuing = { certificateFile: layout.issuingCertificate, keyFile: layout.issuingKey };
    expect((await loadIssuingAuthority(issuing)).fleetId).toBe(data.fleetId);

    const verify = async (purpose: string, file: string) =>
      execa('openssl', ['verify', '-x509_strict', '-CAfile', layout.authorityBundle, '-purpose', purpose, file]);
    await verify('sslserver', layout.coordinatorCertificate);
    await verify('sslclient', layout.operatorCertificate);
    const { stdout } = await execa('openssl', [
      'x509',
      '-in',
      layout.coordinatorCertificate,
      '-noout',
      '-ext',
      'subjectAltName',
    ]);
    expect(stdout).toContain(`DNS:coordinator.${data.fleetId}.flotilla, DNS:fleet.example.org, IP Address:192.0.2.7`);

    const secret = await readPrivateKey(layout.firmwarePrivateKey);
    expect(secret.subarray(32).equals(await readPublicKey(layout.firmwarePublicKey))).toBe(true);
  });

  it('leaves no secret that others may read', async () => {
    const { stdout } = await execa('find', [at('whole'), '-type', 'f', '-perm', '/077', '-printf', '%P\n']);
    expect(stdout.split('\n').toSorted()).toEqual([
      'coordinator.yaml',
      'keys/.gitignore',
      'pki/.gitignore',
      'pki/authority.crt',
      'pki/coordinator.crt',
      'pki/issuing.crt',
      'pki/operator-admin.crt',
      'pki/profiles.yaml',
      'pki/root.crt',
    ]);
    const { stdout: open } = await execa('find', [at('whole'), '-mindepth', '1', '-type', 'd', '!', '-perm', '700']);
    expect(open).toBe('');
  });

  it('refuses a second time with 6, names what is there, and changes nothing', async () => {
    const before = await snapshot(at('whole'));
    const ran = await run('whole', '--no-passphrase', '--json');
    expect(ran.exitCode).toBe(6);
    expect(ran.json().error).toMatchObject({
      code: 'fleet-target-exists',
      message: expect.stringContaining(join(at('whole'), 'coordinator.yaml')),
    });
    expect(await snapshot(at('whole'))).toEqual(before);
  });

  it.each(['coordinator.yaml', 'pki', 'keys', 'data', 'run'])('refuses a folder that holds %s', async (name) => {
    const dir = at(`has-${name}`);
    await mkdir(dir);
    await writeFile(join(dir, name), 'mine');
    const ran = await run(dir, '--no-passphrase');
    expect(ran).toMatchObject({ exitCode: 6, stdout: '' });
    expect(ran.stderr).toContain(join(dir, name));
    expect(await readdir(dir)).toEqual([name]);
    expect(await readFile(join(dir, name), 'utf8')).toBe('mine');
  });

  it('works in a folder that holds other things, by default the current one', async () => {
    await mkdir(at('here'));
    await writeFile(at('here/README'), 'mine');
    const ran = await flotilla(['init', '--no-passphrase'], { cwd: at('here') });
    expect(ran).toMatchObject({ exitCode: 0, stderr: '' });
    expect(ran.stdout).toContain('flotilla coordinator start');
    expect((await readdir(at('here'))).toSorted()).toEqual([
      'README',
      'coordinator.yaml',
      'data',
      'keys',
      'pki',
      'run',
    ]);
    const { hosts } = parse(await readFile(at('here/coordinator.yaml'), 'utf8'));
    expect(hosts).toEqual(expect.arrayContaining(['localhost', '127.0.0.1', '::1']));
  });

  it.each([
    ['no passphrase and no terminal', [], 2, 'init-no-passphrase'],
    ['a passphrase file that is absent', ['--passphrase-file', 'absent'], 2, 'secret-file-unreadable'],
    ['a host that is none', ['--no-passphrase', '--host', 'a b'], 2, 'pki-host'],
    ['a name that is none', ['--no-passphrase', '--name', 'The Harbour'], 2, 'fleet-name'],
    ['a port that is none', ['--no-passphrase', '--port', '65536'], 2, 'usage'],
    ['two wishes for the passphrase', ['--no-passphrase', '--passphrase-file', 'x'], 2, 'usage'],
  ])('with %s leaves nothing behind', async (_what, args, exitCode, code) => {
    const before = await readdir(scratch.path);
    const ran = await run('nothing', ...args, '--json');
    expect(ran.exitCode).toBe(exitCode);
    expect(ran.json().error.code).toBe(code);
    expect(await readdir(scratch.path)).toEqual(before);
  });

  it('refuses a passphrase file that others may read', async () => {
    await writeFile(at('open.pass'), `${passphrase}\n`);
    await chmod(at('open.pass'), 0o644);
    const ran = await run('nothing', '--passphrase-file', 'open.pass', '--json');
    expect(ran.exitCode).toBe(6);
    expect(ran.json().error).toMatchObject({ code: 'secret-file-exposed', suggestion: 'chmod 600 open.pass' });
  });

  it('takes the passphrase from a pipe', async () => {
    const ran = await execa(
      'bash',
      [
        '-c',
        'cat "$1" | "${@:2}"',
        'bash',
        passphraseFile,
        process.execPath,
        launcher,
        'init',
        'piped',
        '--passphrase-file',
        '/dev/stdin',
      ],
      { cwd: scratch.path },
    );
    expect(ran.stdout).toContain('is made in');
    await execa('openssl', [
      'pkey',
      '-in',
      at('piped/pki/root.key.enc'),
      '-passin',
      `file:${passphraseFile}`,
      '-noout',
    ]);
  });

  it('asks twice on a terminal and shows nothing of the answer', async () => {
    const asked = await execa('script', ['-qec', `${process.execPath} ${launcher} init asked`, '/dev/null'], {
      cwd: scratch.path,
      env: { NO_COLOR: '1' },
      input: `${passphrase}\n${passphrase}\n`,
    });
    expect(asked.stdout).toMatch(/Passphrase of the root key: \s+Passphrase of the root key, again: /);
    await execa('openssl', [
      'pkey',
      '-in',
      at('asked/pki/root.key.enc'),
      '-passin',
      `file:${passphraseFile}`,
      '-noout',
    ]);
  });

  it('leaves nothing behind when the disk takes no more', async () => {
    const before = await readdir(scratch.path);
    // A file-size limit of zero makes every write fail as a full disk does.
    const ran = await execa('bash', ['-c', 'ulimit -f 0; exec "$@"', 'bash', process.execPath, launcher, 'init', 'full', '--no-passphrase', '--json'], {
      cwd: scratch.path,
      reject: false,
      env: { NODE_DISABLE_COMPILE_CACHE: '1' },
    }); // prettier-ignore
    expect(ran.exitCode).not.toBe(0);
    expect(JSON.parse(ran.stdout)).toHaveProperty('error');
    expect(await readdir(scratch.path)).toEqual(before);
  });

  it('refuses a folder whose path is too long for the API socket', async () => {
    const ran = await run('d'.repeat(120), '--no-passphrase', '--json');
    expect(ran.exitCode).toBe(2);
    expect(ran.json().error.code).toBe('fleet-path-too-long');
  });
});

/** Path, mode and contents of everything below a folder. */
async function snapshot(directory: string): Promise<Record<string, string>> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const described = entries.map(async (entry): Promise<[string, string]> => {
    const path = join(entry.parentPath, entry.name);
    const { mode, mtimeMs } = await stat(path);
    return [path, `${mode} ${mtimeMs} ${entry.isFile() ? await readFile(path, 'base64') : ''}`];
  });
  return Object.fromEntries(await Promise.all(described));
}
