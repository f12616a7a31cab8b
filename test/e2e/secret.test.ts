/**
 * Private keys, passphrases, tokens and ticket keys are nowhere but in their files: a whole run is looked through, every
 * file that it has left and every byte that any of its processes has written to a file, a terminal, a pipe or a socket,
 * with the arguments of all that were started. On the wire TLS hides what is sent; what a device and a gateway say to
 * each other in clear is what the gateway hands to the core over a socket of this machine, and that is looked through.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launcher } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { hasTools } from '../support/system-tool.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { readTraces, stopTraced, trace } from '../support/trace.ts';

const canTrace = hasTools('secrets in what processes write', 'strace');
const passphrase = 'correct horse battery staple';

interface Secret {
  name: string;
  bytes: Buffer;
  /** Files that hold it, relative to the scratch folder. */
  files: RegExp;
  /** Where else it may be written: `process path`, as traced. */
  also?: RegExp;
}

let scratch: Awaited<ReturnType<typeof temporaryDirectory>>;
const secrets: Secret[] = [];
const running: ReturnType<typeof trace>[] = [];
const at = (...path: string[]): string => join(scratch.path, ...path);
const run = (name: string, args: string[], env: Record<string, string> = {}) =>
  trace(at('trace'), name, [process.execPath, launcher, ...args], {
    cwd: at('work'),
    timeout: 120_000,
    killSignal: 'SIGKILL',
    stdout: { file: at('out', `${name}.out`), append: true },
    stderr: { file: at('out', `${name}.err`), append: true },
    env: {
      NO_COLOR: '1',
      HOME: at('home'),
      XDG_CACHE_HOME: at('home', 'cache'),
      XDG_CONFIG_HOME: at('home', 'config'),
      ...env,
    },
  });

let count = 0;
async function must(...args: string[]): Promise<string> {
  count += 1;
  const name = `cli-${count}`;
  const { exitCode } = await run(name, args, { FLOTILLA_FLEET_DIR: at('fleet') });
  const out = await readFile(at('out', `${name}.out`), 'utf8');
  const err = await readFile(at('out', `${name}.err`), 'utf8');
  expect(exitCode, `${args.join(' ')}\n${out}${err}`).toBe(0);
  return out;
}

/** The secret number of an EC key: whoever has it has the key, in whatever form. */
function scalarOf(pem: string): Buffer {
  const { d = '' } = createPrivateKey({ key: pem, passphrase }).export({ format: 'jwk' }) as { d?: string };
  return Buffer.from(d, 'base64url');
}

const literally = (path: string): string => path.replace(/[.\\]/g, '\\$&');

async function addKey(path: string): Promise<void> {
  const bytes = scalarOf(await readFile(at(path), 'utf8'));
  // A certificate is exchanged with its key: both wait under another name first.
  secrets.push({ name: path, bytes, files: new RegExp(`^${literally(path)}(\\.new|\\.next|\\.old)?$`) });
}

beforeAll(async () => {
  if (!canTrace) return;
  scratch = await temporaryDirectory();
  for (const folder of ['trace', 'out', 'work', 'home']) await mkdir(at(folder));
  await writeFile(at('root.pass'), `${passphrase}\n`, { mode: 0o600 });
  count += 1;
  const init = ['init', at('fleet'), '--passphrase-file', at('root.pass'), '--host', '127.0.0.1', '--port', '0'];
  expect((await run('init', init)).exitCode).toBe(0);
  const config = at('fleet', 'coordinator.yaml');
  const yaml = (await readFile(config, 'utf8')).replace(/^#? ?gateways:.*$/m, 'gateways: 1');
  await writeFile(config, `${yaml}\nenrollment:\n  listen:\n    host: 127.0.0.1\n    port: 0\n`);

  const coordinator = run('coordinator', ['coordinator', 'start', '--fleet-dir', at('fleet')]);
  running.push(coordinator);
  await eventually('the coordinator runs', () => stat(at('fleet', 'run', 'coordinator.json')), { timeoutMs: 60_000 });
  const { listen } = JSON.parse(await must('coordinator', 'status', '--json')) as { listen: { port: number } };
  const address = `127.0.0.1:${listen.port}`;

  // A key that is made on the device, one that is made for it, and one with a token.
  await must('agent', 'init', at('gw-1'), '--id', 'gw-1', '--coordinator', address);
  const out = ['--out', at('gw-1', 'device.crt'), '--authority-out', at('gw-1', 'authority.crt')];
  await must('cert', 'sign', at('gw-1', 'device.csr'), ...out);
  await must('cert', 'issue', 'gw-2', '--out', at('gw-2'));
  await must('enroll', 'token', 'add', '--out', at('gw.token'));
  const text = (await readFile(at('gw.token'), 'utf8')).trim();
  await must('agent', 'enroll', at('gw-3'), '--id', 'gw-3', '--token-file', at('gw.token'));

  const agent = run('agent', ['agent', 'run', '--config', at('gw-1', 'agent.yaml')]);
  running.push(agent);
  await eventually('gw-1 is connected', async () => (await must('device', 'show', 'gw-1')).includes('connected'), {
    everyMs: 500,
    timeoutMs: 60_000,
  });
  const first = await readFile(at('gw-1', 'device.key'), 'utf8');
  await must('run', 'gw-1', '--', 'echo', 'hello');
  await must('cert', 'renew', 'gw-1', '--wait');
  await must('operator', 'add', 'anna', '--role', 'viewer', '--out', at('anna'));
  await must('operator', 'add', 'ci', '--role', 'operator', '--token', '--expires', '8h', '--out', at('ci'));
  // Printed, because nothing was named for it: to whoever has asked, and nowhere else.
  const printed = JSON.parse(
    await must('operator', 'add', 'shown', '--role', 'viewer', '--token', '--expires', '8h', '--json'),
  ) as object;
  const shown = `cli-${count}`;
  await must('firmware', 'keygen', at('second'));
  await writeFile(at('p.conf'), 'meta-product = "p"\nmeta-version = "1.0.0"\ntask t { on-init { info("x") } }\n');
  await must('firmware', 'build', '-f', at('p.conf'), '-o', at('p.fw'), '--key', at('fleet', 'keys', 'firmware.priv'));
  await must('firmware', 'sign', at('p.fw'), '--key', at('second.priv'), '-o', at('p2.fw'));
  await must('release', 'publish', at('p.fw'));
  await must('audit', 'export', '--out', at('audit.ndjson'));
  await must('event', 'export', '--out', at('events.ndjson'));
  await must('doctor').catch(() => undefined);
  await must('coordinator', 'stop');
  await coordinator;
  await stopTraced(agent);

  for (const name of await readdir(at('fleet', 'pki'))) {
    if (name.endsWith('.key')) await addKey(`fleet/pki/${name}`);
  }
  secrets.push({
    name: 'root key',
    bytes: scalarOf(await readFile(at('fleet', 'pki', 'root.key.enc'), 'utf8')),
    files: /^nowhere$/, // encrypted: what is written is not it
  });
  // The gateways are given the key of the certificate that they show.
  for (const secret of secrets) if (secret.name.endsWith('coordinator.key')) secret.also = /^coordinator .*socket/i;
  await addKey('gw-2/device.key');
  for (const device of ['gw-1', 'gw-3']) {
    for (const path of await filesBelow(at(device))) {
      if (path.endsWith('.key')) await addKey(relative(scratch.path, path));
    }
  }
  secrets.push({
    name: 'first key of gw-1',
    bytes: scalarOf(first),
    files: /^gw-1\/.*\.key(\..*)?$/,
  });
  for (const path of ['fleet/keys/firmware.priv', 'second.priv']) {
    const key = Buffer.from((await readFile(at(path), 'utf8')).trim(), 'base64').subarray(0, 32);
    secrets.push({ name: path, bytes: key, files: new RegExp(`^${literally(path)}$`) });
  }
  const ticket = JSON.parse(await readFile(at('fleet', 'data', 'ticket-key.json'), 'utf8')) as { keyHex: string };
  secrets.push({
    name: 'ticket key',
    bytes: Buffer.from(ticket.keyHex, 'hex'),
    files: /^fleet\/data\/ticket-key\.json(\.new)?$/,
    also: /^coordinator .*socket/i, // to the gateways
  });
  await addKey('anna/anna.key');
  for (const path of await filesBelow(at('ci'))) {
    if (path.endsWith('.crt')) continue;
    const token = (await readFile(path, 'utf8')).trim();
    secrets.push({
      name: 'operator token',
      bytes: Buffer.from(token.slice(-24)),
      files: new RegExp(`^${literally(relative(scratch.path, path))}$`),
      also: /^(coordinator|cli-\d+) .*socket/i,
    });
  }
  secrets.push({
    name: 'operator token that was printed',
    bytes: Buffer.from(String((printed as { token?: unknown }).token).slice(-24)),
    files: new RegExp(`^out/${shown}\\.out$`),
    also: new RegExp(`^(coordinator|${shown}) .*socket`, 'i'),
  });
  secrets.push({ name: 'passphrase', bytes: Buffer.from(passphrase), files: /^root\.pass$/ });
  // Told once, to who has asked for it: over the API's socket, into the file that was named.
  secrets.push({
    name: 'enrollment token',
    bytes: Buffer.from(text.split('.').at(-1) ?? '', 'base64url'),
    files: /^gw\.token$/,
    also: /^(coordinator|cli-\d+) .*socket/i,
  });
}, 180_000);
afterAll(async () => {
  for (const tracer of running) await stopTraced(tracer);
  await scratch?.[Symbol.asyncDispose]();
});

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** How bytes look where they were written: as they are, as hex, and in base64 at each place of a longer text. */
function looksOf(bytes: Buffer): Buffer[] {
  const looks = [bytes.subarray(0, 20), bytes.subarray(-20)].filter((part) => part.length >= 16);
  if (looks.length === 0) looks.push(bytes);
  const hex = bytes.toString('hex').slice(0, 40);
  looks.push(Buffer.from(hex), Buffer.from(hex.toUpperCase()));
  for (const shift of [0, 1, 2]) {
    const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64');
    // Neither end depends on what stands beside it; a PEM text has a line feed somewhere, so two windows.
    for (const from of [4, 24]) {
      const window = text.slice(from, from + 16);
      if (window.length === 16 && !window.includes('=')) looks.push(Buffer.from(window), urlSafe(window));
    }
  }
  return looks;
}

const urlSafe = (text: string): Buffer => Buffer.from(text.replaceAll('+', '-').replaceAll('/', '_'));

describe.runIf(canTrace)('a secret', () => {
  it('is one of all kinds that there are', () => {
    const names = secrets.map(({ name }) => name);
    for (const kind of [
      'issuing.key',
      'coordinator.key',
      'operator-admin.key',
      'root key',
      'gw-1/',
      'gw-2/',
      'gw-3/',
    ]) {
      expect(
        names.some((name) => name.includes(kind)),
        kind,
      ).toBe(true);
    }
    expect(names).toEqual(
      expect.arrayContaining(['second.priv', 'ticket key', 'passphrase', 'enrollment token', 'operator token']),
    );
  });

  it('stands in its own file and in no other file of the run', async () => {
    const found = new Map<string, string[]>();
    const wrong: string[] = [];
    for (const path of await filesBelow(scratch.path)) {
      const name = relative(scratch.path, path);
      if (name.startsWith('trace/')) continue;
      const content = await readFile(path);
      for (const secret of secrets) {
        if (!looksOf(secret.bytes).some((look) => content.includes(look))) continue;
        found.set(secret.name, [...(found.get(secret.name) ?? []), name]);
        if (!secret.files.test(name)) wrong.push(`${secret.name} in ${name}`);
      }
    }
    expect(wrong).toEqual([]);
    // The search itself works: it finds each where it has to be.
    const missing = secrets.filter(({ name, files }) => !String(files).includes('nowhere') && !found.has(name));
    const gone = missing.filter(({ name }) => name !== 'first key of gw-1'); // given up by the renewal
    expect(gone.map(({ name }) => name)).toEqual([]);
  });

  it('was written by no process to anything else, and stood in no arguments', async () => {
    const looks = secrets.map((secret) => ({ secret, looks: looksOf(secret.bytes) }));
    const wrong = new Set<string>();
    const seen = new Set<string>();
    let started = 0;
    for await (const { call, path, bytes, process: name } of readTraces(at('trace'))) {
      if (call === 'execve') started += 1;
      // A fleet is made beside its place and renamed when all of it is there.
      const own = relative(scratch.path, path).replace(/^\.fleet-init-\w+\//, 'fleet/');
      for (const { secret, looks: some } of looks) {
        if (!some.some((look) => bytes.includes(look))) continue;
        seen.add(secret.name);
        const isAllowed =
          call !== 'execve' && (secret.files.test(own) || secret.also?.test(`${name} ${path}`) === true);
        if (!isAllowed) wrong.add(`${secret.name}: ${name} ${call} ${own}`);
      }
    }
    expect([...wrong]).toEqual([]);
    expect(started).toBeGreaterThan(20);
    // The trace has seen each being written where it belongs.
    const written = ['issuing.key', 'gw-2/device.key', 'second.priv', 'ticket key', 'enrollment token'];
    for (const name of written)
      expect(
        [...seen].some((one) => one.includes(name)),
        name,
      ).toBe(true);
  });

  it('lies in a file of mode 0600, and is refused when others may read it', async () => {
    const holders = (await filesBelow(scratch.path)).filter((path) => {
      const name = relative(scratch.path, path);
      return (
        !/^(trace|out)\//.test(name) && // where somebody sends what is printed is his own business
        (secrets.some(({ files }) => files.test(name)) || /\.(key|enc|priv)$/.test(name))
      );
    });
    expect(holders.length).toBeGreaterThan(8);
    for (const path of holders) expect([path, (await stat(path)).mode & 0o777]).toEqual([path, 0o600]);
  });
});

describe.runIf(canTrace)('every reader of a secret', () => {
  /** By file: a command that reads it. gw-3 has never run: an agent that has would close its key and go on. */
  const readers: [string, () => string[]][] = [
    ['fleet/pki/issuing.key', () => ['coordinator', 'start', '--fleet-dir', at('fleet')]],
    ['fleet/pki/coordinator.key', () => ['coordinator', 'start', '--fleet-dir', at('fleet')]],
    ['gw-3/device.key', () => ['agent', 'run', '--config', at('gw-3', 'agent.yaml')]],
    ['root.pass', () => ['init', at('another'), '--passphrase-file', at('root.pass'), '--port', '0']],
    ['second.priv', () => ['firmware', 'sign', at('p.fw'), '--key', at('second.priv'), '-o', at('p3.fw')]],
    ['gw.token', () => ['agent', 'enroll', at('gw-4'), '--id', 'gw-4', '--token-file', at('gw.token')]],
    [
      'fleet/pki/root.key.enc',
      () => [
        'ca',
        'sign-time-reset',
        '--device',
        'gw-1',
        '--root-key',
        at('fleet', 'pki', 'root.key.enc'),
        '--root-certificate',
        at('fleet', 'pki', 'root.crt'),
        '--passphrase-file',
        at('root.pass'),
        '--out',
        at('gw-1.reset'),
      ],
    ],
  ];

  it.each(readers)('refuses %s when its group may read it, and says how to mend it', async (file, args) => {
    await chmod(at(file), 0o640);
    const name = `refused-${file.replaceAll('/', '-')}`;
    const { exitCode } = await run(name, args());
    const said =
      (await readFile(at('out', `${name}.out`), 'utf8')) + (await readFile(at('out', `${name}.err`), 'utf8'));
    await chmod(at(file), 0o600);
    expect([exitCode, said]).toEqual([6, expect.stringContaining(`chmod 600 ${at(file)}`)]);
  });

  it('has read a certificate that belongs to its key', async () => {
    const certificate = new X509Certificate(await readFile(at('gw-2', 'device.crt')));
    expect(certificate.checkPrivateKey(createPrivateKey(await readFile(at('gw-2', 'device.key'))))).toBe(true);
  });
});
