/** Requests that make no sense, and requests to nobody: clear, with the next step, and nothing has changed. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { flotilla, type RunOption } from '../support/cli.ts';
import { loadCommands } from '../support/command-list.ts';
import { createFleet, type TestFleet } from '../support/fleet.ts';
import { refusal, refusalAsTyped } from '../support/refusal.ts';
import { sample } from '../support/sample.ts';
import { receiptFrom } from '../support/sign-receipt.ts';

/** Runs; d-1 is known to it and away. */
let fleet: TestFleet;
/** A fleet whose coordinator does not run. */
let idle = '';
const scratch = (...path: string[]) => join(fleet.scratch, ...path);
const inIdle = (args: string[], option: RunOption = {}) =>
  fleet.cli(args, { ...option, env: { FLOTILLA_FLEET_DIR: idle } });

async function must(args: string[]) {
  const ran = await fleet.cli(args);
  expect(ran.exitCode, `${args.join(' ')}\n${ran.stdout}${ran.stderr}`).toBe(0);
  return ran;
}

beforeAll(async () => {
  fleet = await createFleet();
  idle = scratch('idle');
  await must(['init', idle, '--no-passphrase', '--port', '0']);
  await must(['cert', 'issue', 'd-1', '--out', scratch('d-1')]);
  await writeFile(scratch('p.conf'), 'meta-product = "p"\nmeta-version = "1.0.0"\ntask t { on-init { info("x") } }\n');
  await must(['firmware', 'build', '-f', scratch('p.conf'), '-o', scratch('p.fw')]);
  await must(['release', 'publish', scratch('p.fw')]);
  await writeFile(scratch('policy.yaml'), 'release: p/1.0.0\nselector: "*"\n');
  await writeFile(scratch('bad-policy.yaml'), 'release: p/1.0.0\nselector: "*"\nphasis: []\n');
  await writeFile(scratch('plan.yaml'), 'flotillaPlan: 1\ntargets:\n  - {"deviceId":"d-1","phase":1}\n');
  await must(['ca', 'sign-time-reset', '--device', 'd-1', '--out', scratch('one.reset')]);
  await writeFile(scratch('receipt.json'), JSON.stringify(await receiptFrom(scratch('d-1'))));
  await writeFile(scratch('limits.yaml'), 'maxPower: 10\n');
  await writeFile(scratch('fleet.csv'), 'id\nm-1\n');
  const fields = [{ name: 'n', type: 'int' }];
  await writeFile(scratch('reading.avsc'), JSON.stringify({ type: 'record', name: 'meter.Reading', fields }));
});
afterAll(() => fleet?.[Symbol.asyncDispose]());

describe('without a coordinator', () => {
  /** Every command that asks the coordinator, with arguments that are good. */
  const asking: Record<string, () => string[]> = {
    'ca list': () => [],
    'ca register': () => ['--challenge'],
    'ca remove': () => ['acme', '--yes'],
    'ca renew-coordinator': () => [],
    'ca retire': () => ['issuing-1', '--yes'],
    'ca rotate': () => [],
    'ca show': () => [],
    'audit export': () => [],
    'audit head': () => [],
    'audit show': () => [],
    'cert issue': () => ['c-1', '--out', scratch('unreachable')],
    'cert crl': () => [],
    'cert list': () => [],
    'cert renew': () => ['c-1'],
    'cert renewals': () => [],
    'cert revoke': () => ['c-1', '--reason', 'test', '--yes'],
    'cert show': () => ['00112233445566778899aabbccddeeff'],
    'cert sign': () => [scratch('p.conf'), '--out', scratch('unreachable.crt')],
    'coordinator status': () => [],
    'coordinator stop': () => [],
    'deadletter discard': () => ['1', '--note', 'test', '--yes'],
    'deadletter list': () => [],
    'deadletter replay': () => ['1'],
    'deadletter show': () => ['1'],
    'device accept': () => ['*'],
    'device config diff': () => ['d-1', 'limits'],
    'device config get': () => ['d-1'],
    'device config push': () => ['d-1', 'limits', scratch('limits.yaml')],
    'device config resolve': () => ['d-1', 'limits', '--take', 'desired'],
    'device allow-bundle': () => ['d-1', '7f3c1a52-09be-5d1c-8a51-2d7c5b0f3b11'],
    'device update-agent': () => ['d-1', 'flotilla-agent/1.0.0'],
    'device config set': () => ['d-1', 'limits', scratch('limits.yaml')],
    'device history': () => ['d-1'],
    'device list': () => [],
    'device quarantine': () => ['*', '--reason', 'test'],
    'device receipt': () => [scratch('receipt.json')],
    'device refresh': () => ['*'],
    'device reject': () => ['*'],
    'device remove': () => ['d-1', '--yes'],
    'device replace': () => ['d-1', 'd-2', '--yes'],
    'device reset-time': () => [scratch('one.reset')],
    'device send': () => ['d-1', 'valve.Close', '', '1'],
    'device show': () => ['d-1'],
    'device tag': () => ['d-1', 'ring=canary'],
    'device watch': () => [],
    'enroll manifest import': () => [scratch('fleet.csv')],
    'provision ssh': () => ['h-1', '--coordinator', 'localhost'],
    'provision verify': () => ['h-1', '--coordinator', 'localhost'],
    'provision remove': () => ['h-1', '--yes'],
    'enroll manifest list': () => [],
    'enroll manifest remove': () => ['m-1'],
    'enroll token add': () => [],
    'enroll token list': () => [],
    'enroll token revoke': () => ['t-1'],
    'event consumer list': () => [],
    'event consumer remove': () => ['c-1', '--yes'],
    'event consumer reset': () => ['c-1', '--from', '1', '--yes'],
    'event export': () => [],
    'event handle': () => ['h-1', '--', 'cat'],
    'event redact': () => ['1', '--reason', 'test', '--yes'],
    'event schema check': () => [scratch('reading.avsc')],
    'event schema list': () => [],
    'event schema register': () => [scratch('reading.avsc')],
    'event schema show': () => ['meter.Reading'],
    'event tail': () => [],
    'group add': () => ['g-1', '*'],
    'group list': () => [],
    'group remove': () => ['g-1', '--yes'],
    'group show': () => ['g-1'],
    'file get': () => ['*', '/etc/hostname', '--output', scratch('unreachable')],
    'file put': () => ['*', scratch('p.conf'), '/tmp/p.conf'],
    'job cancel': () => ['j-1'],
    'job diff': () => ['j-1'],
    'job export': () => ['j-1'],
    'job history': () => ['d-1'],
    'job list': () => [],
    'job retry': () => ['j-1', '--failed'],
    'job show': () => ['j-1'],
    'job wait': () => ['j-1'],
    'operator add': () => ['anna', '--role', 'viewer', '--out', scratch('unreachable-operator')],
    'operator list': () => [],
    'operator revoke': () => ['anna', '--reason', 'test', '--yes'],
    'operator whoami': () => [],
    ping: () => ['*'],
    reboot: () => ['*'],
    'service restart': () => ['*', 'modem'],
    'release list': () => [],
    'schedule add': () => ['nightly', 'd-1', '--cron', '0 3 * * *', '--', 'true'],
    'schedule list': () => [],
    'schedule next': () => ['nightly'],
    'schedule pause': () => ['nightly'],
    'schedule remove': () => ['nightly', '--yes'],
    'schedule resume': () => ['nightly'],
    'schedule show': () => ['nightly'],
    'release publish': () => [scratch('p.fw')],
    'release show': () => ['p/1.0.0'],
    'rollout abort': () => ['r-1'],
    'rollout apply': () => [scratch('plan.yaml')],
    'rollout approve': () => ['r-1'],
    'rollout plan': () => ['p/1.0.0', '*'],
    'rollout export': () => ['r-1'],
    'rollout list': () => [],
    'rollout pause': () => ['r-1'],
    'rollout report': () => ['r-1'],
    'rollout resume': () => ['r-1'],
    'rollout simulate': () => ['--fleet', 'recorded'],
    'rollout start': () => ['p/1.0.0', '*'],
    'rollout status': () => ['r-1'],
    run: () => ['*', '--', 'true'],
    'select complete': () => ['G@'],
    'select count': () => ['*'],
    'select explain': () => ['*', '--device', 'd-1'],
    'select match': () => ['*'],
    'select values': () => ['G@site'],
    why: () => ['d-1'],
  };
  const alone = [
    'rollout test',
    'agent diagnose',
    'agent enroll',
    'agent init',
    'agent allow-bundle',
    'agent bundle',
    'agent install',
    'agent publish',
    'agent receipt',
    'agent reset-time',
    'agent run',
    'agent status',
    'agent uninstall',
    'agent update approve',
    'agent update defer',
    'agent update history',
    'agent update install',
    'agent update reject',
    'agent update status',
    'ca attach',
    'ca detach',
    'ca export-root',
    'ca sign-issuing',
    'cert export',
    'cert import',
    'cert inspect',
    'cert lint',
    'cert verify',
    'audit verify',
    'ca sign-time-reset',
    'completion',
    'context add',
    'context list',
    'context remove',
    'context show',
    'context use',
    'coordinator openapi',
    'coordinator start',
    'demo',
    'doctor',
    'init',
  ];

  it('every command that needs one is tried here', async () => {
    const names = (await loadCommands()).map(({ name }) => name).filter((name) => !name.startsWith('firmware '));
    expect([...Object.keys(asking), ...alone].toSorted()).toEqual(names.toSorted());
  });

  it.concurrent.each(sample(Object.keys(asking), 3))('%s exits 7 with the next step', async (name) => {
    const { error, exitCode } = await refusal(inIdle, [...name.split(' '), ...asking[name]!()]);
    expect([exitCode, error.fault]).toEqual([7, 'unreachable']);
    expect(error.suggestion).toContain('flotilla coordinator start --detach');
  });

  it('a person reads the same, and nothing was left behind', async () => {
    const { text } = await refusalAsTyped(inIdle, ['device', 'list']);
    expect(text).toContain(join(idle, 'run', 'api.sock'));
    expect((await readdir(fleet.scratch)).filter((name) => name.startsWith('unreachable'))).toEqual([]);
  });

  it('and outside of any fleet, a command says how to name one', async () => {
    const { error, exitCode } = await refusalAsTyped(flotilla, ['device', 'list'], { cwd: '/' });
    expect([error.code, exitCode]).toEqual(['fleet-not-found', 2]);
    expect(error.suggestion).toContain('--fleet-dir');
  });
});

describe('cert sign', () => {
  const csr = (name: string) => scratch('csr', name);

  beforeAll(async () => {
    await mkdir(scratch('csr'));
    const openssl = (...args: string[]) => execa('openssl', args, { cwd: scratch('csr') });
    const request = ['req', '-new', '-nodes', '-keyout', 'key'];
    const ec = [...request, '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
    await openssl(...request, '-newkey', 'rsa:1024', '-subj', '/CN=weak', '-out', 'weak');
    await openssl(...ec, '-subj', '/CN=No Such Id!', '-out', 'bad-id');
    await openssl(...ec, '-subj', '/O=nobody', '-out', 'nameless');
    await openssl(...ec, '-subj', '/CN=good-1', '-out', 'good');
    await openssl(...ec, '-subj', '/CN=good-1', '-outform', 'DER', '-out', 'good.der');
    await writeFile(csr('cut.der'), (await readFile(csr('good.der'))).subarray(0, 100));
    const der = await readFile(csr('good.der'));
    der[der.length - 3]! ^= 1; // in the signature
    await writeFile(csr('broken.der'), der);
    await openssl('req', '-inform', 'DER', '-in', 'broken.der', '-out', 'broken');
    await writeFile(csr('garbage'), 'this is no request\n');
    await writeFile(csr('huge'), Buffer.alloc(1_000_000, 65));
  });

  it.concurrent.each([
    ['garbage', [], 'pki-csr-malformed', 2],
    ['cut.der', [], 'pki-csr-malformed', 2],
    ['huge', [], 'file-too-large', 2],
    ['absent', [], 'file-unreadable', 2],
    ['.', [], 'file-unreadable', 2],
    ['broken', [], 'pki-csr-signature', 6],
    ['weak', [], 'pki-weak-key', 6],
    ['bad-id', [], 'pki-device-id', 2],
    ['nameless', [], 'certificate-name-mismatch', 2],
    ['good', ['--device', 'good-2'], 'certificate-name-mismatch', 2],
    ['nameless', ['--device', 'No Such Id!'], 'pki-device-id', 2],
    ['good', ['--days', '0'], 'usage', 2],
  ] as const)('refuses %s %j', async (name, more, code, exit) => {
    const out = scratch('csr', `${name}${more.join('')}.crt`);
    const { error, exitCode } = await refusal(fleet.cli, ['cert', 'sign', csr(name), '--out', out, ...more]);
    expect([error.code, exitCode]).toEqual([code, exit]);
    expect(error.expected ?? error.suggestion).toBeDefined();
  });

  it('has made no certificate then, and no file', async () => {
    const owners = (await must(['cert', 'list', '--json'])).json().map((one: { deviceId: string }) => one.deviceId);
    expect(owners).toEqual(['d-1']);
    expect((await must(['device', 'list', '--json'])).json()).toHaveLength(1);
    expect((await readdir(scratch('csr'))).filter((name) => name.endsWith('.crt'))).toEqual([]);
  });
});

describe('an agent whose identity does not fit', () => {
  const config = () => scratch('d-1', 'agent.yaml');
  const file = (name: string) => scratch('d-1', name);

  beforeAll(() => writeFile(config(), 'coordinator: { host: 127.0.0.1, port: 7443 }\n'));

  it.each([
    ['device.crt', 'rubbish', 'pki-certificate-malformed', 2],
    ['device.key', 'rubbish', 'pki-key-malformed', 2],
    ['authority.crt', 'rubbish', 'pki-authority-malformed', 2],
    ['device.key', "another one's", 'pki-key-mismatch', 2],
    ['authority.crt', "a device's own", 'pki-authority-malformed', 2],
    ['device.crt', 'absent', 'agent-certificate-missing', 2],
  ])('does not start with a %s that is %s', async (name, what, code, exit) => {
    const before = await readFile(file(name));
    const other =
      what === 'rubbish'
        ? 'rubbish\n'
        : await readFile(name === 'device.key' ? join(idle, 'pki', 'root.key') : file('device.crt'));
    if (what === 'absent') await rm(file(name));
    else await writeFile(file(name), other);
    try {
      const { error, exitCode } = await refusalAsTyped(fleet.cli, ['agent', 'run', '--config', config()]);
      expect([error.code, exitCode]).toEqual([code, exit]);
      expect(error.message).toContain(name);
    } finally {
      await writeFile(file(name), before);
    }
  });
});

describe('a request about what does not exist', () => {
  it.concurrent.each([
    [['device', 'show', 'nobody'], 'device-unknown'],
    [['device', 'remove', 'nobody', '--yes'], 'device-unknown'],
    [['why', 'nobody'], 'device-unknown'],
    [['why', 'd-1', '--rollout', 'r-1'], 'rollout-unknown'],
    [['release', 'show', 'q/1.0.0'], 'release-unknown'],
    [['rollout', 'start', 'q/1.0.0', 'd-1'], 'release-unknown'],
    [['rollout', 'status', 'r-1'], 'rollout-unknown'],
    [['rollout', 'report', 'r-1'], 'rollout-unknown'],
    [['rollout', 'export', 'r-1'], 'rollout-unknown'],
    [['rollout', 'abort', 'r-1'], 'rollout-unknown'],
    [['job', 'show', 'j-1'], 'job-unknown'],
    [['job', 'wait', 'j-1'], 'job-unknown'],
    [['job', 'cancel', 'j-1'], 'job-unknown'],
    [['cert', 'show', '00112233445566778899aabbccddeeff'], 'certificate-unknown'],
    [['cert', 'revoke', 'nobody', '--reason', 'test', '--yes'], 'certificate-unknown'],
    [['release', 'publish', '/nowhere.fw'], 'file-unreadable'],
    [['cert', 'show', '/nowhere.crt'], 'file-unreadable'],
  ])('%j', async (args, code) => {
    const { error, exitCode } = await refusal(fleet.cli, args);
    expect([error.code, exitCode]).toEqual([code, 2]);
    expect(error.suggestion).toMatch(/^flotilla |^check the path/);
  });
});

describe('a malformed request', () => {
  const tag = (...changes: string[]) => ['device', 'tag', 'd-1', ...changes];
  const run = (...flags: string[]) => ['run', 'd-1', ...flags, '--', 'true'];
  const rollout = (...flags: string[]) => ['rollout', 'start', 'p/1.0.0', 'd-1', ...flags];
  it.concurrent.each([
    [tag('ring'), 'tag-malformed'],
    [tag('=x'), 'tag-malformed'],
    [tag('Ring=x'), 'tag-malformed'],
    [tag('-'), 'tag-malformed'],
    [tag('a b=c'), 'tag-malformed'],
    [tag('a=1', 'a-'), 'tag-twice'],
    [tag(`a=${'x'.repeat(300)}`), 'api-request-malformed'],
    [['device', 'tag', 'G@', 'a=1'], 'selector-missing-delimiter'],
    [['device', 'lsit'], 'command-unknown'],
    [['event', 'tail', '--from', '-1'], 'usage'],
    [['event', 'tail', '--limit', '0'], 'usage'],
    [['event', 'tail', '--selector', 'd-1 and'], 'selector-missing-operand'],
    [['release', 'publish', 'p.fw', '--channel', 'a/b'], 'release-name'],
    [run('--batch', '0'), 'job-batch'],
    [run('--batch', '0%'), 'job-batch'],
    [run('--batch', '101%'), 'job-batch'],
    [run('--batch', 'some'), 'api-request-malformed'],
    [run('--timeout', '0'), 'api-request-malformed'],
    [run('--timeout', 'soon'), 'duration-malformed'],
    [run('--nonsense'), 'usage'],
    [['run', 'd-1'], 'run-command-missing'],
    [['rollout', 'plan', 'p/1.0.0'], 'rollout-no-selector'],
    [['rollout', 'plan', 'bad-policy.yaml'], 'config-invalid'],
    [['rollout', 'plan', 'policy.yaml', '--phase', '1'], 'rollout-policy-flag'],
    [['rollout', 'apply', 'p.conf'], 'rollout-plan-unreadable'],
    [['rollout', 'apply', 'plan.yaml'], 'api-request-malformed'],
    [rollout('--phase', '5x'), 'phase-malformed'],
    [rollout('--phase', ''), 'phase-malformed'],
    [rollout('--phase', '1@'), 'phase-malformed'],
    [rollout('--phase', '0'), 'rollout-phase-empty'],
    [rollout('--phase', '150%'), 'rollout-phase-empty'],
    [rollout('--phase', '1@G@'), 'selector-missing-delimiter'],
    [rollout('--soak', '-5'), 'duration-malformed'],
    [rollout('--max-failure-share', '200%'), 'share-malformed'],
    [rollout('--max-failures', '0'), 'usage'],
  ])('%j', async (args, code) => {
    const { error, exitCode } = await refusal(fleet.cli, args, { cwd: fleet.scratch });
    expect([error.code, exitCode]).toEqual([code, 2]);
    expect(error.expected ?? error.suggestion).toBeDefined();
  });

  it('has changed nothing then', async () => {
    expect((await must(['device', 'show', 'd-1', '--json'])).json().tags).toEqual({});
    expect((await must(['job', 'list', '--json'])).json()).toEqual([]);
    expect((await must(['rollout', 'list', '--json'])).json()).toEqual([]);
  });
});
