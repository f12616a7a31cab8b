/** Malformed files, taken ports, exposed keys: one clear error with its place and the next step, nothing half-done. */
import { chmod, chown, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { flotilla, start, type Ran, type RunOption } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { alive } from '../support/fleet.ts';
import { refusal, refusalAsTyped } from '../support/refusal.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const nobody = 65_534;
const othersCanRunUs =
  process.getuid?.() === 0 && (await start(['--version'], { uid: nobody, cwd: '/' })).exitCode === 0;
const startDetached = ['coordinator', 'start', '--detach'];
const startHere = ['coordinator', 'start'];

let scratch: Awaited<ReturnType<typeof temporaryDirectory>>;
/** A fleet whose coordinator runs only inside of a test. */
let fleet = '';
/** A device's folder with key and certificate. */
let device = '';
const at = (...path: string[]) => join(scratch.path, ...path);
const inFleet = (...path: string[]) => join(fleet, ...path);
const cli = (args: string[], option: RunOption = {}): Promise<Ran> =>
  flotilla(args, { cwd: scratch.path, ...option, env: { FLOTILLA_FLEET_DIR: fleet } });

async function must(args: string[]): Promise<Ran> {
  const ran = await cli(args);
  expect(ran.exitCode, ran.stdout + ran.stderr).toBe(0);
  return ran;
}

beforeAll(async () => {
  scratch = await temporaryDirectory();
  fleet = at('fleet');
  device = at('device');
  for (const dir of ['fleet', 'theirs'])
    await must(['init', at(dir), '--no-passphrase', '--host', '127.0.0.1', '--port', '0']);
  const config = inFleet('coordinator.yaml');
  await writeFile(config, (await readFile(config, 'utf8')).replace(/^#? ?gateways:.*$/m, 'gateways: 1'));
  await must(['agent', 'init', device, '--id', 'd-1', '--coordinator', '127.0.0.1:7443']);
});
afterAll(() => scratch?.[Symbol.asyncDispose]());

/** Lets `act` find the file changed, and puts it back. */
async function withFile(file: string, change: (text: string) => string, act: () => Promise<void>): Promise<void> {
  const before = await readFile(file);
  await writeFile(file, change(before.toString()));
  try {
    await act();
  } finally {
    await writeFile(file, before);
  }
}

/** What a start that fails leaves: its log and its lock. */
async function nothingStarted(): Promise<void> {
  const left = (await readdir(inFleet('run'))).filter((name) => !/^coordinator\.(log|lock)/.test(name));
  expect(left).toEqual([]);
}

describe('a malformed coordinator.yaml', () => {
  const config = () => inFleet('coordinator.yaml');

  it('is told with every mistake, its place and what was expected; by the start and by every client', async () => {
    const yaml = 'fleetId: harbour\nlisten: { host: 0.0.0.0, port: 99999 }\ngatways: 2\nlog: { level: verbose }\n';
    const act = async () => {
      for (const args of [startDetached, startHere, ['device', 'list']]) {
        const { error, exitCode, text } = await refusalAsTyped(cli, args);
        expect(exitCode).toBe(2);
        expect(error.problems?.map(({ line, column }) => [line, column])).toEqual([[2, 32], [3, 1], [4, 15]]); // prettier-ignore
        expect(text).toMatch(/coordinator\.yaml:2:32: listen\.port .*from 0 to 65535/);
        expect(text).toMatch(/coordinator\.yaml:3:1: .*gatways .*try: gateways/);
        expect(text).toMatch(/coordinator\.yaml:4:15: log\.level .*trace, debug, info/);
      }
    };
    await withFile(config(), () => yaml, act);
    await nothingStarted();
  });

  it.each([
    ['a list that is not closed', 'fleetId: harbour\nhosts: [a\nlog: {}\n', 3, /sequence|]/],
    ['a tab as indentation', 'fleetId: harbour\nlog:\n\tlevel: info\n', 3, /[Tt]abs/],
    ['one key twice', 'fleetId: harbour\nfleetId: harbour\n', 2, /unique/],
    ['nothing', '', 1, /empty/],
    ['text', 'just text\n', 1, /must be a map/],
  ])('that holds %s is told with the line', async (_what, yaml, line, words) => {
    const act = async () => {
      const { error, exitCode } = await refusal(cli, startDetached);
      expect([error.code, exitCode]).toEqual(['config-invalid', 2]);
      expect(error.position).toEqual({ file: config(), line, column: expect.any(Number) });
      expect(error.message).toMatch(words);
    };
    await withFile(config(), () => yaml, act);
  });

  it('can not write on the terminal of who reads of it', async () => {
    const act = async () => {
      const { text } = await refusalAsTyped(cli, startDetached);
      for (const control of ['\u0007', '\u001b']) expect(text).not.toContain(control);
      expect(text).toContain('\\x1b]0;');
    };
    await withFile(config(), () => '"\u001b]0;owned\u0007": 1\n', act);
  });

  it('that names another fleet than the certificates do is refused, with its line', async () => {
    const act = async () => {
      const { error, exitCode } = await refusal(cli, startDetached);
      expect([error.code, exitCode]).toEqual(['pki-other-fleet', 2]);
      const lines = (await readFile(config(), 'utf8')).split('\n');
      expect(lines[error.position!.line - 1]).toBe('fleetId: other');
    };
    await withFile(config(), (yaml) => yaml.replace(/^fleetId:.*$/m, 'fleetId: other'), act);
    await nothingStarted();
  });

  it('whose socket has too long a path is refused before anything starts', async () => {
    const act = async () => {
      const { error, exitCode } = await refusal(cli, startDetached);
      expect([exitCode, error.expected]).toEqual([2, 'at most 107 bytes']);
      expect(error.suggestion).toContain('set socket:');
    };
    const long = `socket: /tmp/${'x'.repeat(120)}/api.sock`;
    await withFile(config(), (yaml) => yaml.replace(/^socket:.*$/m, long), act);
  });
});

describe('a malformed agent.yaml', () => {
  const run = () => ['agent', 'run', '--config', join(device, 'agent.yaml')];

  it('is told with every mistake and its place', async () => {
    const yaml = 'coordinator:\n  host: "bad host"\n  port: 0\nlnk: {}\nlog:\n  level: loud\n';
    const act = async () => {
      const { error, exitCode, text } = await refusalAsTyped(cli, run());
      expect(exitCode).toBe(2);
      expect(error.problems?.map(({ line, column }) => [line, column])).toEqual([[2, 9], [3, 9], [4, 1], [6, 10]]); // prettier-ignore
      expect(text).toMatch(/agent\.yaml:3:9: .*from 1 to 65535/);
      expect(text).toMatch(/agent\.yaml:4:1: .*try: link/);
    };
    await withFile(join(device, 'agent.yaml'), () => yaml, act);
  });

  it('that is no YAML or not there is told as well', async () => {
    const act = async () => {
      const broken = await refusal(cli, run());
      expect([broken.exitCode, broken.error.position?.line]).toEqual([2, 1]);
    };
    await withFile(join(device, 'agent.yaml'), () => 'coordinator: { host: [a }\n', act);
    const missing = await refusal(cli, ['agent', 'run', '--config', at('nowhere.yaml')]);
    expect([missing.exitCode, missing.error.code]).toEqual([2, 'config-unreadable']);
  });
});

describe('a malformed fwup.conf', () => {
  const head = 'meta-product = "p"\nmeta-version = "1"\n';
  it.concurrent.each([
    ['an option that does not exist', `${head}meta-versoin = "1"\n`, [3, 1], /meta-version/],
    ['a string that is not closed', 'meta-product = "p\n', [1, 16], /"/],
    ['no value', `${head}meta-author =`, [3, 14], /a value for 'meta-author'/],
    ['an undescribed resource', `${head}task t {\n  on-resource x { raw_write(0) }\n}\n`, [4, 3], /file-resource/],
    ['an unknown function', `${head}task t {\n  on-init { raw_wirte(0) }\n}\n`, [4, 13], /raw_write/],
    ['a missing argument', `${head}task t {\n  on-init { raw_memset(0) }\n}\n`, [4, 13], /raw_memset\(/],
    ['a file that is not there', `${head}file-resource x { host-path = "absent.bin" }\n`, [3, 19], /absent\.bin/],
  ] as const)('with %s is told with its place and what was expected', async (what, conf, [line, column], expected) => {
    const file = at(`${what}.conf`);
    await writeFile(file, conf);
    const { error, exitCode } = await refusal(cli, ['firmware', 'build', '-f', file, '-o', at(`${what}.fw`)]);
    const code = what === 'a file that is not there' ? 'firmware-resource-unusable' : 'firmware-config';
    expect([error.code, exitCode]).toEqual([code, 2]);
    expect(error.position, JSON.stringify(error)).toEqual({ file, line, column });
    expect(`${error.expected} ${error.message}`).toMatch(expected);
    expect((await readdir(scratch.path)).filter((name) => name.includes(`${what}.fw`))).toEqual([]);
  });
});

describe('coordinator start', () => {
  it('names the taken port and the line of coordinator.yaml, and leaves nothing behind', async () => {
    await using taken = createServer().listen(0, '0.0.0.0');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as AddressInfo;
    const act = async () => {
      for (const args of [startDetached, startHere]) {
        const { error, exitCode } = await refusal(cli, args);
        expect(exitCode).toBe(4);
        expect(error).toMatchObject({ code: 'gateway-listen', seen: 'EADDRINUSE' });
        expect(error.message).toContain(`port ${port}`);
        const lines = (await readFile(inFleet('coordinator.yaml'), 'utf8')).split('\n');
        expect(lines[error.position!.line - 1]).toContain(`port: ${port}`);
      }
    };
    await withFile(inFleet('coordinator.yaml'), (yaml) => yaml.replace('port: 0', `port: ${port}`), act);
    await nothingStarted();
    expect(await readdir(inFleet('data'))).toEqual(['blobs']);
  });

  it('is refused while another has the fleet, and works over what kill -9 leaves of it', async () => {
    const { pid } = (await must([...startDetached, '--json'])).json();
    for (const args of [startDetached, startHere]) {
      const { error, exitCode } = await refusalAsTyped(cli, args);
      expect([error.code, exitCode]).toEqual(['coordinator-running', 6]);
      expect(error.seen).toContain(`pid ${pid}`);
    }
    expect((await must(['coordinator', 'status', '--json'])).json()).toMatchObject({ pid });

    process.kill(pid, 'SIGKILL');
    await eventually('the coordinator is gone', () => !alive(pid));
    expect(await readdir(inFleet('run'))).toContain('api.sock'); // dead
    expect((await refusal(cli, ['device', 'list'])).exitCode).toBe(7);
    await writeFile(inFleet('run', 'coordinator.json'), 'rubbish');
    const again = (await must([...startDetached, '--json'])).json();
    expect((await must(['coordinator', 'status', '--json'])).json()).toMatchObject({ pid: again.pid });
    await must(['coordinator', 'stop', '--json']);
    await nothingStarted();

    const { error, exitCode } = await refusalAsTyped(cli, ['coordinator', 'stop']);
    expect([error.code, exitCode]).toEqual(['coordinator-not-running', 7]);
  });

  it('says what is in the way where its socket and data should be', async () => {
    await writeFile(inFleet('run', 'api.sock'), '');
    const taken = await refusal(cli, startDetached);
    expect([taken.error.code, taken.exitCode]).toEqual(['socket-path-taken', 2]);
    await rm(inFleet('run', 'api.sock'));
    const act = async () => {
      const { error, exitCode } = await refusal(cli, startDetached);
      expect([error.code, exitCode]).toEqual(['folder-unusable', 2]);
      expect(error.suggestion).toContain('data:');
    };
    await withFile(inFleet('coordinator.yaml'), (yaml) => yaml.replace(/^data:.*$/m, 'data: coordinator.yaml'), act);
    await nothingStarted();
  });

  it.each([
    ['authority.crt', 'rubbish', 'pki-authority-malformed'],
    ['coordinator.crt', 'rubbish', 'pki-certificate-malformed'],
    ['coordinator.key', 'rubbish', 'pki-key-malformed'],
    ['issuing.key', 'rubbish', 'pki-key-malformed'],
    ['authority.crt', 'of another fleet', 'pki-other-authority'],
    ['coordinator.crt', 'of another fleet', 'pki-key-mismatch'],
    ['issuing.key', 'of another fleet', 'pki-key-mismatch'],
  ])("is refused with a %s that is %s, not left to the devices' handshakes", async (name, what, code) => {
    const theirs = await readFile(at('theirs', 'pki', name), 'utf8');
    const act = async () => {
      const { error, exitCode } = await refusal(cli, startDetached);
      expect([error.code, exitCode]).toEqual([code, 2]);
      expect(error.message).toContain(name);
    };
    await withFile(inFleet('pki', name), () => (what === 'rubbish' ? 'rubbish\n' : theirs), act);
    await nothingStarted();
  });
});

describe('a secret that others can read', () => {
  const build = (output: string) => ['firmware', 'build', '-f', at('tiny.conf'), '-o', output];
  const whoReads: [string, () => string, () => string[], string][] = [
    ['the coordinator', () => inFleet('pki', 'issuing.key'), () => startDetached, 'secret-file-exposed'],
    ['the coordinator', () => inFleet('pki', 'coordinator.key'), () => startHere, 'secret-file-exposed'],
    ['firmware build', () => inFleet('keys', 'firmware.priv'), () => build(at('x.fw')), 'firmware-key-exposed'],
    ['firmware sign', () => inFleet('keys', 'firmware.priv'), () => ['firmware', 'sign', at('tiny.conf'), '-o', at('x.fw')], 'firmware-key-exposed'],
    ['the agent', () => join(device, 'device.key'), () => ['agent', 'run', '--config', join(device, 'agent.yaml')], 'secret-file-exposed'],
    ['init', () => at('root.pass'), () => ['init', at('x'), '--passphrase-file', at('root.pass')], 'secret-file-exposed'],
  ]; // prettier-ignore

  beforeAll(async () => {
    await writeFile(at('tiny.conf'), 'meta-product = "p"\nmeta-version = "1"\ntask t { on-init { info("hello") } }\n');
    await writeFile(at('root.pass'), 'correct horse battery\n', { mode: 0o600 });
  });

  it.each(whoReads)('stops %s, with the chmod that mends it', async (_who, path, args, code) => {
    const file = path();
    await chmod(file, 0o644);
    try {
      const { error, exitCode } = await refusalAsTyped(cli, args());
      expect([error.code, exitCode, error.suggestion]).toEqual([code, 6, `chmod 600 ${file}`]);
    } finally {
      await chmod(file, 0o600);
    }
    await nothingStarted();
    expect((await readdir(scratch.path)).filter((name) => name.startsWith('x'))).toEqual([]);
  });

  it.skipIf(!othersCanRunUs)('and one that this user can not read is named, with what to look at', async () => {
    const asNobody = { uid: nobody, cwd: '/' };
    await chmod(scratch.path, 0o755);
    await execa('chown', ['-R', `${nobody}:${nobody}`, fleet]);
    try {
      for (const [, path, args] of whoReads.slice(0, 5)) {
        const file = path();
        const { uid } = await stat(file);
        await chown(file, 0, 0);
        const { error, exitCode } = await refusal(cli, args(), asNobody);
        expect([exitCode, error.message, error.seen]).toEqual([
          2,
          expect.stringContaining(file),
          expect.stringContaining('EACCES'),
        ]);
        expect(error.suggestion).toContain(`ls -l ${file}`);
        await chown(file, uid, uid);
      }
    } finally {
      await execa('chown', ['-R', '0:0', fleet]);
    }
  });
});

describe('init', () => {
  it('never touches a fleet that is there, and says so before it asks for a passphrase', async () => {
    const before = await readFile(inFleet('coordinator.yaml'));
    for (const more of [['--no-passphrase'], []]) {
      const { error, exitCode } = await refusalAsTyped(cli, ['init', fleet, ...more]);
      expect([error.code, exitCode]).toEqual(['fleet-target-exists', 6]);
    }
    expect(await readFile(inFleet('coordinator.yaml'))).toEqual(before);
    // Nor does it mix with a part of one.
    await rm(at('theirs', 'coordinator.yaml'));
    const part = await refusal(cli, ['init', at('theirs'), '--no-passphrase']);
    expect([part.error.code, part.exitCode]).toEqual(['fleet-target-exists', 6]);
  });

  it.concurrent.each([
    ['no passphrase and no terminal', () => [at('new')], 'init-no-passphrase'],
    ['an empty name', () => ['', '--no-passphrase'], 'init-no-folder'],
    ['a folder below a file', () => [inFleet('coordinator.yaml', 'x'), '--no-passphrase'], 'fleet-unwritable'],
    ['a path too long for its socket', () => [at('new'.repeat(40)), '--no-passphrase'], 'fleet-path-too-long'],
    ['a host that is none', () => [at('new'), '--no-passphrase', '--host', 'no host'], 'pki-host'],
    ['a port that is none', () => [at('new'), '--no-passphrase', '--port', '70000'], 'usage'],
    ['a name that is none', () => [at('new'), '--no-passphrase', '--name', 'No Name'], 'fleet-name'],
  ])('refuses %s', async (_what, args, code) => {
    const { error, exitCode } = await refusal(cli, ['init', ...args()]);
    expect([error.code, exitCode]).toEqual([code, 2]);
  });

  it('has made nothing then', async () => {
    expect((await readdir(scratch.path)).filter((name) => name.includes('new'))).toEqual([]);
  });
});
