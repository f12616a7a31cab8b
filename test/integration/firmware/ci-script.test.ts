/** templates/ci/release-firmware.sh, run for real: from a git tag to a release on a running coordinator. */
import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { launcher, top } from '../../support/cli.ts';
import { eventually } from '../../support/eventually.ts';
import { createFleet, type TestFleet } from '../../support/fleet.ts';
import { soundConfig, spoiled } from '../../support/firmware-config.ts';
import { hasTools, toolPath } from '../../support/system-tool.ts';

let fleet: TestFleet;
let project: string;
let temporary: string;
let calls: string;
const keys = { private: '', public: '' };

beforeAll(async () => {
  fleet = await createFleet();
  project = join(fleet.scratch, 'gateway');
  temporary = join(fleet.scratch, 'tmp');
  calls = join(fleet.scratch, 'calls.log');
  await mkdir(temporary);
  keys.private = await readFile(join(fleet.dir, 'keys', 'firmware.priv'), 'utf8');
  keys.public = await readFile(join(fleet.dir, 'keys', 'firmware.pub'), 'utf8');

  // The real commands, with a note of what each was given: arguments and environment.
  const bin = join(fleet.scratch, 'bin');
  await mkdir(bin);
  await symlink(process.execPath, join(bin, 'node'));
  const noted = `#!/bin/sh\nprintf '%s\\n' "$*" >>'${calls}'\nenv >>'${calls}'\nexec '${process.execPath}' '${launcher}' "$@"\n`;
  await writeFile(join(bin, 'flotilla'), noted);
  await chmod(join(bin, 'flotilla'), 0o755);

  const made = await fleet.cli(['firmware', 'init', project, '--ci', 'shell', '--json']);
  expect(made.exitCode).toBe(0);
  const config = spoiled(soundConfig, ['meta-version = "1.0.0"', 'define(VCS, "")\nmeta-version = ${VERSION}\nmeta-vcs-identifier = ${VCS}'], ['contents = "root"', 'host-path = "rootfs.img"']); // prettier-ignore
  await writeFile(join(project, 'fwup.conf'), config);
  await writeFile(
    join(project, 'ci', 'build-images.sh'),
    'printf "rootfs of %s" "$1" >rootfs.img\n[ -z "${HOLD:-}" ] || { : >"$HOLD"; exec tail -f /dev/null; }\n',
  );
  await writeFile(join(project, '.gitignore'), 'rootfs.img\nrelease/\n');
  await git('init', '--quiet', '--initial-branch=main');
  await commit('first');
});
afterAll(() => fleet?.[Symbol.asyncDispose]());

const git = (...args: string[]) => execa('git', args, { cwd: project });

async function commit(message: string): Promise<void> {
  await git('add', '-A');
  await git(
    '-c',
    'user.name=ci',
    '-c',
    'user.email=ci@example.org',
    'commit',
    '--quiet',
    '--allow-empty',
    '-m',
    message,
  );
}

function release(args: string[] = [], env: Record<string, string> = {}, detached = false) {
  return execa('sh', ['ci/release-firmware.sh', ...args], {
    cwd: project,
    reject: false,
    all: true,
    detached,
    timeout: 120_000,
    env: {
      PATH: `${join(fleet.scratch, 'bin')}:${toolPath}`,
      TMPDIR: temporary,
      FLOTILLA_FLEET_DIR: fleet.dir,
      FIRMWARE_SIGNING_KEY: keys.private,
      FIRMWARE_PUBLIC_KEY: keys.public,
      NO_COLOR: '1',
      ...env,
    },
  });
}

const releases = async (): Promise<string[]> =>
  (await fleet.cli(['release', 'list', '--json'])).rows().flat().map((each: any) => `${each.product}/${each.version}/${each.channel}`); // prettier-ignore

describe('the release script', () => {
  it('builds, signs, verifies and publishes the tag, and leaves no key behind', async () => {
    await git('tag', 'v1.2.3');
    const ran = await release();
    expect(ran.exitCode, ran.all).toBe(0);
    expect(await releases()).toContain('gateway/1.2.3/stable');
    const bundle = join(project, 'release', 'gateway-1.2.3.fw');
    const verified = await fleet.cli(['firmware', 'verify', bundle, '--json']);
    const head = (await git('rev-parse', 'HEAD')).stdout;
    expect(verified.json()).toMatchObject({ version: '1.2.3', vcsIdentifier: head });

    expect(await readdir(temporary)).toEqual([]);
    const seen = await readFile(calls, 'utf8');
    expect(seen).toContain('firmware build');
    for (const text of [seen, ran.all]) expect(text).not.toContain(keys.private.slice(0, 20));

    // The same tag gives the same file.
    const first = await readFile(bundle);
    expect((await release(['v1.2.3'], { FIRMWARE_CHANNEL: 'again' })).exitCode).toBe(0);
    expect((await readFile(bundle)).equals(first)).toBe(true);
  });

  it('puts a version before the release into beta', async () => {
    await commit('second');
    await git('tag', 'v1.3.0-rc.1');
    expect((await release()).exitCode).toBe(0);
    expect(await releases()).toContain('gateway/1.3.0-rc.1/beta');
  });

  it('publishes nothing that lint or the public key of the devices refuses, and removes the key all the same', async () => {
    await commit('third');
    await git('tag', 'v1.4.0');
    const { publicKeyPath } = (await fleet.cli(['firmware', 'keygen', join(fleet.scratch, 'other'), '--json'])).json();
    const foreign = await release([], { FIRMWARE_PUBLIC_KEY: await readFile(publicKeyPath, 'utf8') });
    expect([foreign.exitCode, foreign.all]).toEqual([6, expect.stringContaining('does not belong')]);
    const config = await readFile(join(project, 'fwup.conf'), 'utf8');
    await writeFile(join(project, 'fwup.conf'), spoiled(config, ['info("a")', 'uboot_setenv(env, "slot", "a")']));
    await commit('fourth');
    await git('tag', 'v1.5.0');
    const early = await release();
    expect([early.exitCode, early.all]).toEqual([4, expect.stringContaining('switch-before-data')]);
    await writeFile(join(project, 'fwup.conf'), config);
    await commit('fifth');
    expect(await readdir(temporary)).toEqual([]);
    expect((await releases()).some((name) => /1\.[45]\.0/.test(name))).toBe(false);
  });

  it.each([
    ['no tag', [], {}, 'no tag is checked out'],
    ['a tag that does not exist', ['v9.9.9'], {}, 'there is no tag v9.9.9'],
    ['a tag that is not checked out', ['v1.2.3'], {}, 'is not what is checked out'],
  ])('refuses %s', async (_, args, env, message) => {
    const ran = await release(args, env);
    expect([ran.exitCode, ran.stderr]).toEqual([1, expect.stringContaining(message)]);
  });

  it('refuses a tag that is no version, files that differ, and to work without a key', async () => {
    await git('tag', 'vNext');
    expect((await release(['vNext'])).stderr).toContain('names no version');
    await git('tag', 'v2.0.0');
    expect((await release([], { FIRMWARE_SIGNING_KEY: '' })).stderr).toContain('FIRMWARE_SIGNING_KEY is not set');
    await writeFile(join(project, 'fwup.conf'), `${await readFile(join(project, 'fwup.conf'), 'utf8')}\n`);
    expect((await release(['v2.0.0'])).stderr).toContain('files differ from v2.0.0');
    await git('checkout', '--quiet', 'fwup.conf');
    await git('tag', '--delete', 'vNext');
  });

  it('removes the key when it is ended in the middle', async () => {
    const held = join(fleet.scratch, 'held');
    const running = release(['v2.0.0'], { HOLD: held }, true);
    await eventually('the key is there and the images are being built', async () => (await readdir(fleet.scratch)).includes('held')); // prettier-ignore
    const [folder] = await readdir(temporary);
    expect((await stat(join(temporary, folder ?? '', 'firmware.priv'))).mode & 0o777).toBe(0o600);
    process.kill(-(running.pid ?? 0), 'SIGTERM'); // as CI does: the whole group
    expect((await running).exitCode).toBe(143);
    expect(await readdir(temporary)).toEqual([]);
  });

  it.skipIf(!hasTools('publishing through ssh', 'sshd', 'ssh', 'ssh-keygen'))(
    'reaches the coordinator of another machine through ssh',
    async () => {
      await using server = await startSshd(join(fleet.scratch, 'ssh'));
      const ran = await release(['v2.0.0'], {
        FLOTILLA_FLEET_DIR: '',
        FLEET_SSH: `${userInfo().username}@127.0.0.1`,
        FLEET_SSH_PORT: String(server.port),
        FLEET_SSH_KEY: server.clientKey,
        FLEET_SSH_KNOWN_HOSTS: server.knownHosts,
        FLEET_SOCKET: join(fleet.dir, 'run', 'api.sock'),
      });
      expect(ran.exitCode, ran.all + server.log()).toBe(0);
      expect(await releases()).toContain('gateway/2.0.0/stable');
      expect(await readdir(temporary)).toEqual([]);
      expect(ran.all).not.toContain('PRIVATE KEY');
      expect(await readFile(calls, 'utf8')).not.toContain('PRIVATE KEY');
    },
  );
});

describe('the pipelines', () => {
  it.each([
    ['github.yml', (document: any) => document.jobs.release.steps],
    ['gitlab.yml', (document: any) => document['firmware-release'].script],
  ])('%s is YAML that calls the script for tags only', async (name, stepsOf) => {
    const text = await readFile(join(top, 'templates', 'ci', name), 'utf8');
    const document = parse(text);
    expect(JSON.stringify(stepsOf(document))).toContain('sh ci/release-firmware.sh');
    expect(JSON.stringify(document)).toMatch(/"tags":\["v\[0-9\]\*"\]|CI_COMMIT_TAG =~ \/\^v\[0-9\]\//);
  });
});

interface Sshd extends AsyncDisposable {
  port: number;
  clientKey: string;
  knownHosts: string;
  log(): string;
}

/** A real sshd of our own on a free port, which knows one key. */
async function startSshd(dir: string): Promise<Sshd> {
  await mkdir(dir, { mode: 0o700 });
  for (const name of ['host', 'client']) await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(dir, name)]); // prettier-ignore
  if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true }); // sshd insists on it as root
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  const config = [`Port ${port}`, 'ListenAddress 127.0.0.1', `HostKey ${join(dir, 'host')}`, `AuthorizedKeysFile ${join(dir, 'client.pub')}`, 'PidFile none', 'StrictModes no', 'UsePAM no', 'PasswordAuthentication no', 'PermitRootLogin prohibit-password', 'AllowStreamLocalForwarding yes']; // prettier-ignore
  await writeFile(join(dir, 'sshd_config'), `${config.join('\n')}\n`);
  const { stdout: program } = await execa('sh', ['-c', 'command -v sshd'], { env: { PATH: toolPath } });
  const child = execa(program, ['-D', '-e', '-f', join(dir, 'sshd_config')], { reject: false });
  let log = '';
  child.stderr.on('data', (chunk) => (log += String(chunk)));
  await eventually('sshd listens', () => log.includes('Server listening'));
  const hostKey = (await readFile(join(dir, 'host.pub'), 'utf8')).split(' ').slice(0, 2).join(' ');
  return {
    port,
    clientKey: await readFile(join(dir, 'client'), 'utf8'),
    knownHosts: `[127.0.0.1]:${port} ${hostKey}`,
    log: () => log,
    async [Symbol.asyncDispose]() {
      child.kill();
      await child;
    },
  };
}
