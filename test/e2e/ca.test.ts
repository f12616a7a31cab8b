/**
 * The authorities from the command line, with a running coordinator and agents: the root is taken away, the issuing
 * authority is exchanged under live connections, a manufacturer's authority is let in and thrown out. OpenSSL judges
 * every chain.
 */
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { createFleet, type TestAgent, type TestFleet } from '../support/fleet.ts';
import { hasTools } from '../support/system-tool.ts';

const openssl = hasTools('certificates made and judged by OpenSSL', 'openssl');
const passphrase = 'correct horse battery';
let fleet: TestFleet;
/** Holds its connection and answers nothing: it can't go over to a new certificate by itself. */
let frozen: TestAgent;
const at = (...path: string[]) => join(fleet.scratch, ...path);
const pki = (name: string) => join(fleet.dir, 'pki', name);

async function must(args: string[], option = {}) {
  const ran = await fleet.cli(args, option);
  expect(ran.exitCode, `${args.join(' ')}\n${ran.stdout}${ran.stderr}`).toBe(0);
  return ran;
}
async function refused(args: string[]) {
  const ran = await fleet.cli([...args, '--json']);
  expect(ran.exitCode, `${args.join(' ')}\n${ran.stdout}`).not.toBe(0);
  return { exitCode: ran.exitCode, ...ran.json<{ error: { code: string; seen?: string; message: string } }>().error };
}
const tool = (...args: string[]) => execa('openssl', args, { cwd: fleet.scratch, reject: false, all: true });
const showDevice = async (id: string) => (await fleet.cli(['device', 'show', id, '--json'])).json();
const events = async (type: string) => (await must(['event', 'tail', '--type', type, '--json'])).rows();
const exported = () => at('safe', 'root.export');

beforeAll(async () => {
  fleet = await createFleet({ gateways: 2 });
  await must(['agent', 'init', at('safe'), '--id', 'x', '--coordinator', 'localhost:1', '--json']); // makes a folder
  await writeFile(at('root.pass'), `${passphrase}\n`, { mode: 0o600 });
  await fleet.addAgent('d-1');
  await fleet.addAgent('d-2');
  frozen = await fleet.addAgent('frozen-1');
  for (const id of ['d-1', 'd-2', 'frozen-1']) await fleet.connected(id);
});
afterAll(() => fleet?.[Symbol.asyncDispose]());

describe('the root', () => {
  it('is exported, encrypted, into one file for its owner alone, which OpenSSL reads', async () => {
    await must(['ca', 'export-root', '--out', exported(), '--passphrase-file', at('root.pass')]);
    expect((await stat(exported())).mode & 0o777).toBe(0o600);
    expect(await readFile(exported(), 'utf8')).not.toContain('BEGIN PRIVATE KEY');
    expect((await refused(['ca', 'export-root', '--out', exported(), '--passphrase-file', at('root.pass')])).code).toBe(
      'file-exists',
    );
    if (!openssl) return;
    const key = await tool('pkey', '-in', exported(), '-passin', `file:${at('root.pass')}`, '-pubout');
    const certificate = await tool('x509', '-in', exported(), '-noout', '-pubkey');
    expect(key.stdout).toBe(certificate.stdout);
  });

  it('is removed only with a good export and a confirmation; the fleet goes on, and it can come back', async () => {
    const detach = ['ca', 'detach', '--export', exported(), '--passphrase-file', at('root.pass')];
    expect((await refused(detach)).code).toBe('confirmation-needed');
    const inside = ['ca', 'detach', '--out', join(fleet.dir, 'root.export'), '--passphrase-file', at('root.pass')];
    expect((await refused([...inside, '--yes'])).code).toBe('root-export-inside');
    await writeFile(at('wrong.pass'), 'wrong horse battery\n', { mode: 0o600 });
    const wrong = ['ca', 'detach', '--export', exported(), '--passphrase-file', at('wrong.pass'), '--yes'];
    expect((await refused(wrong)).code).toBe('pki-passphrase-wrong');
    expect(await readdir(join(fleet.dir, 'pki'))).toContain('root.key');

    await must([...detach, '--yes']);
    expect((await readdir(join(fleet.dir, 'pki'))).filter((name) => name.startsWith('root.key'))).toEqual([]);
    expect((await must(['ca', 'show', '--json'])).json().root.key).toBe('detached');
    expect((await must(['ca', 'show'])).stdout).toContain('kept elsewhere');
    await must(['cert', 'issue', 'without-root', '--out', at('without-root')]);
    expect((await refused(['ca', 'rotate', '--passphrase-file', at('root.pass')])).code).toBe('root-detached');

    await must(['init', at('stranger'), '--no-passphrase', '--port', '0', '--json']);
    const foreign = { env: { FLOTILLA_FLEET_DIR: at('stranger') } };
    await must(['ca', 'export-root', '--out', at('stranger.export'), '--passphrase-file', at('root.pass')], foreign);
    const attach = (file: string) => ['ca', 'attach', file, '--passphrase-file', at('root.pass')];
    expect((await refused(attach(at('stranger.export')))).code).toBe('root-other');
    await must(attach(exported()));
    expect((await must(['ca', 'show', '--json'])).json().root.key).toBe('encrypted');
    expect((await refused(attach(exported()))).code).toBe('root-attached');
    await must([...detach, '--yes']);
  });
});

describe('a rotation of the issuing authority', () => {
  it('cuts nobody; new certificates and the coordinator are of the new one; old ones stay good', async () => {
    const away = await fleet.addAgent('away-1');
    await fleet.connected('away-1');
    await away.kill();
    frozen.signal('SIGSTOP');
    const { sinceMs } = await showDevice('frozen-1');

    const rotate = ['ca', 'rotate', '--root', exported(), '--passphrase-file', at('root.pass'), '--overlap', '30d'];
    const rotated = (await must([...rotate, '--json'])).json();
    expect(rotated.authority).toMatchObject({ id: 'issuing-2', state: 'active', issued: 0 });
    expect(rotated.before).toMatchObject({ id: 'issuing-1', state: 'overlap', devices: 5 });
    expect(rotated.before.retireAtMs - rotated.authority.activeAtMs).toBe(30 * 86_400_000);
    expect(await events('coordinator.authority-rotated')).toHaveLength(1);
    expect((await stat(pki('issuing-2.key'))).mode & 0o777).toBe(0o600);

    // Those who can have gone over by themselves; the others: frozen-1, which is still connected, away-1, without-root.
    await eventually('d-1 and d-2 have new certificates', async () =>
      (await must(['ca', 'show'])).stdout.includes('3 devices still on the old authority issuing-1'),
    );
    expect(await showDevice('frozen-1')).toMatchObject({ connected: true, sinceMs });
    // One that was away knows the old authority and the root alone.
    await away.restart();
    await fleet.connected('away-1');
    await fleet.addAgent('d-3');
    await fleet.connected('d-3');
    const [signed] = (await must(['cert', 'list', '--device', 'd-3', '--json'])).json();
    expect(signed.issuer).toBe('issuing-2');
    await must(['cert', 'issue', 'of-two', '--out', at('of-two')]);
    expect((await must(['ca', 'show', 'issuing-2', '--json'])).json().deviceIds).toContain('of-two');
    expect((await must(['ca', 'show', '--json'])).json().coordinator.issuer).toBe('issuing-2');
  });

  it('through a machine without a network; a device that was away for two of them comes back', async () => {
    const [agent] = [await fleet.addAgent('away-2')];
    await fleet.connected('away-2');
    await agent.kill();
    const twice = async (n: number) => {
      await must(['ca', 'rotate', '--request-out', at(`${n}.csr`)]);
      const root = ['--root', exported(), '--passphrase-file', at('root.pass')];
      const nowhere = { env: { FLOTILLA_FLEET_DIR: at('nowhere') } };
      await must(['ca', 'sign-issuing', at(`${n}.csr`), ...root, '--out', at(`${n}.crt`)], nowhere);
      await must(['ca', 'rotate', '--certificate', at(`${n}.crt`)]);
    };
    await twice(3);
    await twice(4);
    expect((await refused(['ca', 'rotate', '--certificate', at('4.crt')])).code).toBe('authority-not-requested');
    await must(['ca', 'rotate', '--request-out', at('5.csr')]);
    expect((await refused(['ca', 'rotate', '--certificate', at('4.crt')])).code).toBe('pki-authority-unfit');
    expect((await refused(['ca', 'rotate', '--certificate', pki('root.crt')])).code).toBe('pki-authority-unfit');
    await agent.restart();
    await fleet.connected('away-2');
    expect((await must(['ca', 'list', '--json'])).json().map(({ state }: { state: string }) => state)).toEqual([
      'overlap',
      'overlap',
      'overlap',
      'active',
      'requested',
    ]);
  });

  it.runIf(openssl)(
    'makes chains that OpenSSL accepts, of every generation, and a coordinator that it connects to',
    async () => {
      const strict = ['verify', '-x509_strict', '-CAfile', pki('root.crt'), '-purpose'];
      for (const [name, file] of [
        ['without-root', pki('issuing.crt')],
        ['of-two', pki('issuing-2.crt')],
      ] as const) {
        const verdict = await tool(...strict, 'sslclient', '-untrusted', file, at(name, 'device.crt'));
        expect(verdict.exitCode, verdict.all).toBe(0);
      }
      const own = await tool(...strict, 'sslserver', '-untrusted', pki('issuing-4.crt'), pki('coordinator.crt'));
      expect(own.exitCode, own.all).toBe(0);
      // A device that only has the bundle of the first authority: the coordinator sends what leads to the root.
      const address = ['-connect', `127.0.0.1:${fleet.port}`, '-alpn', 'flotilla/1', '-verify_return_error'];
      const identity = ['-cert', at('without-root', 'device.crt'), '-key', at('without-root', 'device.key')];
      const dialled = await execa(
        'openssl',
        ['s_client', ...address, ...identity, '-CAfile', at('without-root', 'authority.crt')],
        {
          reject: false,
          input: '',
          all: true,
        },
      );
      expect(dialled.all).toContain('Verify return code: 0 (ok)');
      const text = (await tool('x509', '-in', pki('issuing-4.crt'), '-noout', '-text')).stdout;
      for (const part of ['CA:TRUE, pathlen:0', 'Certificate Sign, CRL Sign', 'Not Before: Jan  1 00:00:00 1970 GMT']) {
        expect(text).toContain(part);
      }
    },
  );

  it('ends with ca retire: cut within a second, refused from then on, after a restart too; its key is gone', async () => {
    expect((await refused(['ca', 'retire', 'issuing-4', '--yes'])).code).toBe('authority-state');
    expect((await refused(['ca', 'retire', 'issuing-1'])).code).toBe('confirmation-needed');
    // A device that owes an answer is held for 20 s: on a very busy machine it is gone by now.
    const held = (await showDevice('frozen-1')).connected;
    const { cutConnections } = (await must(['ca', 'retire', 'issuing-1', '--yes', '--json'])).json();
    expect(cutConnections).toBe(held ? 1 : 0);
    if (held) {
      const cut = await eventually('cut', async () =>
        (await events('coordinator.disconnected')).find(
          ({ deviceId, payload }) => deviceId === 'frozen-1' && payload.reason.includes('issuing-1'),
        ),
      );
      const [retired] = await events('coordinator.authority-retired');
      expect(cut.timestampMs - retired.timestampMs).toBeLessThan(1_000);
    }
    await fleet.connected('d-1');
    const names = await readdir(join(fleet.dir, 'pki'));
    expect(names.filter((name) => /^issuing\.(crt|key)$/.test(name))).toEqual([]);
    expect(await readdir(pki('retired'))).toEqual(['issuing-1.crt']);

    // Or it would get a new certificate through the recovery port.
    await must(['ca', 'retire', 'issuing-1', '--compromised', '--yes']);
    await fleet.killCoordinator();
    await fleet.startCoordinator();
    frozen.signal('SIGCONT');
    await fleet.connected('d-3');
    await eventually('it knocks', async () =>
      (await frozen.log()).split('\n').some((line) => line.includes('expired')),
    );
    expect((await showDevice('frozen-1')).connected).toBe(false);
    expect((await fleet.cli(['why', 'frozen-1'])).stdout).toContain('issuing-1 is retired');
  });
});

describe("the coordinator's own certificate", () => {
  it('follows hosts: of coordinator.yaml, without a restart and without cutting anybody', async () => {
    await fleet.connected('d-3');
    const { sinceMs } = await showDevice('d-3');
    const config = join(fleet.dir, 'coordinator.yaml');
    const yaml = await readFile(config, 'utf8');
    await writeFile(config, yaml.replace(/^hosts:\n/m, 'hosts:\n  - fleet.example.org\n'));
    const renewed = (await must(['ca', 'renew-coordinator', '--json'])).json();
    expect(renewed.names).toContain('fleet.example.org');
    expect((await showDevice('d-3')).sinceMs).toBe(sinceMs);
    await fleet.addAgent('d-4');
    await fleet.connected('d-4');
  });
});

describe('profiles', () => {
  it('say exactly what does not fit, and where the file is wrong', async () => {
    await writeFile(
      pki('profiles.yaml'),
      `profiles:
  short:
    kind: device
    validityDays: 30
    maxValidityDays: 60
    keyKinds: [ec-p256]
    extraNames: ['DNS:{deviceId}.site.example.org']
  acme:
    kind: registered
    deviceId: acme-{cn}
    arrival: accepted
    tags: { vendor: acme }
`,
    );
    const issue = (id: string, ...more: string[]) => [
      'cert',
      'issue',
      id,
      '--out',
      at(id),
      '--profile',
      'short',
      ...more,
    ];
    expect(await refused(issue('s-1', '--days', '90'))).toMatchObject({ code: 'certificate-profile', seen: '90 days' });
    const other = ['--name', 'DNS:other.example.org'];
    expect(await refused(issue('s-1', ...other))).toMatchObject({ code: 'certificate-profile' });
    expect((await refused(['cert', 'issue', 's-1', '--out', at('s-1'), '--profile', 'acme'])).code).toBe(
      'certificate-profile-unknown',
    );
    const made = (await must([...issue('s-1', '--name', 'DNS:s-1.site.example.org'), '--json'])).json().certificate;
    expect(Math.round((made.notAfterMs - made.issuedAtMs) / 86_400_000)).toBe(30);
    expect(made.profile).toBe('short');
    if (openssl) {
      const text = (await tool('x509', '-in', at('s-1', 'device.crt'), '-noout', '-text')).stdout;
      expect(text).toContain('DNS:s-1.site.example.org');
      await tool('genrsa', '-out', 'rsa.key', '2048');
      await tool('req', '-new', '-key', 'rsa.key', '-subj', '/CN=s-2', '-out', 'rsa.csr');
      expect(await refused(['cert', 'sign', at('rsa.csr'), '--profile', 'short'])).toMatchObject({ seen: 'RSA 2048' });
    }
    const good = await readFile(pki('profiles.yaml'), 'utf8');
    await writeFile(pki('profiles.yaml'), good.replace('maxValidityDays: 60', 'maxValidityDays: 20'));
    const wrong = await fleet.cli(issue('s-3'));
    expect([wrong.exitCode, wrong.stderr]).toEqual([2, expect.stringMatching(/profiles\.yaml:\d+:\d+/)]);
    await writeFile(pki('profiles.yaml'), good);
  });
});

describe.runIf(openssl)("a manufacturer's authority", () => {
  const ca = 'acme-ca';
  /** A key, and a certificate of the manufacturer for it. */
  async function make(name: string, subject: string, extension = 'extendedKeyUsage=clientAuth', signer = ca) {
    await tool(
      'req',
      '-new',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-noenc',
      '-subj',
      subject,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
    );
    await writeFile(at(`${name}.ext`), `${extension}\n`);
    const signed = await tool(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      `${signer}.crt`,
      '-CAkey',
      `${signer}.key`,
      '-CAcreateserial',
      '-days',
      '90',
      '-sha256',
      '-extfile',
      `${name}.ext`,
      '-out',
      `${name}.crt`,
    );
    expect(signed.exitCode, signed.all).toBe(0);
  }
  async function makeAuthority(name: string, kind: string[]) {
    const made = await tool(
      'req',
      '-x509',
      '-newkey',
      ...kind,
      '-noenc',
      '-subj',
      `/CN=${name} CA/O=Acme`,
      '-days',
      '900',
      '-sha256',
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.crt`,
    );
    expect(made.exitCode, made.all).toBe(0);
  }
  /** An agent whose identity is the manufacturer's. */
  async function agentWith(name: string) {
    const agent = await fleet.addAgent(`shell-${name}`);
    await agent.kill();
    await writeFile(at(`shell-${name}`, 'device.crt'), await readFile(at(`${name}.crt`)));
    await writeFile(at(`shell-${name}`, 'device.key'), await readFile(at(`${name}.key`)), { mode: 0o600 });
    await agent.restart();
    return agent;
  }

  it('is trusted only with a proof of its key, once for each nonce', async () => {
    await makeAuthority(ca, ['rsa:2048']);
    await makeAuthority('rogue', ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256']);
    const register = (...more: string[]) => ['ca', 'register', at(`${ca}.crt`), '--profile', 'acme', ...more];
    expect((await refused(register())).code).toBe('authority-unproved');
    const { nonce } = (await must(['ca', 'register', '--challenge', '--json'])).json();
    await make('forged', `/CN=${nonce}`, 'basicConstraints=CA:FALSE', 'rogue');
    expect((await refused(register('--proof', at('forged.crt')))).code).toBe('authority-unproved');
    await make('proof', `/CN=${nonce}`, 'basicConstraints=CA:FALSE');
    expect((await must([...register('--proof', at('proof.crt')), '--json'])).json()).toMatchObject({
      id: 'acme',
      state: 'trusted',
      publicKey: 'RSA 2048',
    });
    // Used up; by signature as well; ours is never registered.
    const again = ['ca', 'register', at('rogue.crt'), '--profile', 'acme', '--name', 'rogue', '--proof'];
    await make('proof-2', `/CN=${nonce}`, 'basicConstraints=CA:FALSE', 'rogue');
    expect((await refused([...again, at('proof-2.crt')])).code).toBe('authority-unproved');
    const second = (await must(['ca', 'register', '--challenge'])).stdout;
    await writeFile(at('nonce'), second);
    await tool('dgst', '-sha256', '-sign', 'rogue.key', '-out', 'proof.sig', 'nonce');
    await must([...again, at('proof.sig')]);
    await must(['ca', 'remove', 'rogue', '--yes']);
    expect((await refused(['ca', 'register', pki('root.crt'), '--profile', 'acme', '--name', 'us'])).code).toBe(
      'authority-unfit',
    );
  });

  it('brings devices in as its profile says, and never under the name of one of ours', async () => {
    await make('m-1', '/CN=M1/O=Acme');
    await make('m-2', '/CN=M2/O=Acme');
    await agentWith('m-1');
    await agentWith('m-2');
    await fleet.connected('acme-m1');
    await fleet.connected('acme-m2');
    expect((await showDevice('acme-m1')).tags).toEqual({ vendor: 'acme' });
    expect((await must(['ca', 'show', 'acme', '--json'])).json().deviceIds).toEqual(['acme-m1', 'acme-m2']);

    // A name that a device of ours has, a name that another of theirs has, and a certificate that may be anything.
    await must(['cert', 'issue', 'acme-ours', '--out', at('acme-ours')]);
    await make('n-1', '/CN=ours/O=Acme');
    await make('n-2', '/CN=m1/O=Acme'); // the same id from other letters
    await make('n-3', '/CN=m3/O=Acme', 'basicConstraints=CA:FALSE');
    for (const name of ['n-1', 'n-2', 'n-3']) await agentWith(name);
    await eventually('each was refused with its reason', async () => {
      const log = await fleet.coordinatorLog();
      return log.includes('clientAuth is needed') && (await events('coordinator.refused')).length >= 2;
    });
    const told = (await events('coordinator.refused')).map(({ deviceId, key }) => `${deviceId} ${key}`);
    expect(told).toEqual(expect.arrayContaining(['acme-ours namespace', 'acme-m1 namespace']));
    expect((await fleet.cli(['device', 'show', 'acme-m3', '--json'])).exitCode).not.toBe(0);
    expect((await showDevice('acme-m1')).connected).toBe(true);
  });

  it('loses one device by its certificate, and all of them when it is removed, within a second', async () => {
    const [certificate] = (await must(['cert', 'list', '--device', 'acme-m1', '--json'])).json();
    expect(certificate).toMatchObject({ issuer: 'acme', serial: expect.stringMatching(/^acme:[0-9a-f]+$/) });
    await must(['cert', 'revoke', certificate.serial, '--reason', 'stolen', '--yes']);
    await eventually('cut', async () => !(await showDevice('acme-m1')).connected);
    expect((await showDevice('acme-m2')).connected).toBe(true);
    expect((await must(['ca', 'remove', 'acme', '--yes', '--json'])).json().cutConnections).toBe(1);
    await eventually('cut', async () => !(await showDevice('acme-m2')).connected);
    const removed = (await events('coordinator.authority-removed')).find(({ key }) => key === 'acme');
    const cut = (await events('coordinator.disconnected')).findLast(({ deviceId }) => deviceId === 'acme-m2');
    expect(cut.timestampMs - removed.timestampMs).toBeLessThan(1_000);
    await fleet.connected('d-3');
  });
});
