/** Certificates from the command line, against a running coordinator: lists, inventory, requests, and bad ones at the door. */
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { execa } from 'execa';
import forge from 'node-forge';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeBadCertificates } from '../support/bad-certificate.ts';
import { deviceExtensions, ecKey, pem, rsaKey, signDraft, signRequest } from '../support/certificate-draft.ts';
import { eventually } from '../support/eventually.ts';
import { createFleet, type TestFleet } from '../support/fleet.ts';
import { refusal } from '../support/refusal.ts';

let fleet: TestFleet;
let listPort = 0;
const scratch = (...path: string[]) => join(fleet.scratch, ...path);
const pki = (name: string) => join(fleet.dir, 'pki', name);

async function openssl(...args: string[]): Promise<{ exitCode: number | undefined; output: string }> {
  const ran = await execa('openssl', args, { reject: false, all: true, stdin: 'ignore', cwd: fleet.scratch });
  return { exitCode: ran.exitCode, output: ran.all };
}
async function must(...args: string[]) {
  const ran = await fleet.cli([...args, '--json']);
  expect([ran.exitCode, ran.stderr], `${args.join(' ')}\n${ran.stdout}`).toEqual([0, '']);
  return ran.json();
}

beforeAll(async () => {
  fleet = await createFleet({ gateways: 2 });
  const config = join(fleet.dir, 'coordinator.yaml');
  await fleet.stopCoordinator();
  const yaml = (await readFile(config, 'utf8')).replace(/^certificates:\n(?:[ ].*\n)*/m, '');
  await writeFile(config, `${yaml}\ncertificates: { crl: { listen: { host: 127.0.0.1, port: 0 } } }\n`);
  await fleet.startCoordinator();
  const line = await eventually('the list is served', async () =>
    (await fleet.coordinatorLog()).split('\n').find((text) => text.includes('revocation list is served')),
  );
  listPort = JSON.parse(line).port;
  await fleet.addAgent('honest');
  await fleet.connected('honest');
});
afterAll(() => fleet?.[Symbol.asyncDispose]());

describe('a request', () => {
  it.each([
    ['EC P-256 as DER', ecKey(), 'der'],
    ['EC P-384 as PEM', ecKey('P-384'), 'pem'],
    ['RSA 2048 as DER', rsaKey(), 'der'],
    ['RSA 3072 as PEM', rsaKey(3072), 'pem'],
  ] as const)('of %s is signed', async (name, key, form) => {
    const id = name.toLowerCase().replaceAll(' ', '-');
    const der = signRequest(`CN=${id}`, key);
    await writeFile(scratch(`${id}.csr`), form === 'der' ? der : pem('CERTIFICATE REQUEST', der));
    const out = scratch(`${id}.crt`);
    await must('cert', 'sign', scratch(`${id}.csr`), '--out', out);
    const verdict = await must('cert', 'verify', out, '--ca', pki('authority.crt'), '--purpose', 'device');
    expect(verdict).toMatchObject({ ok: true, reasons: [] });
    expect((await openssl('verify', '-CAfile', pki('authority.crt'), '-purpose', 'sslclient', out)).exitCode).toBe(0);
  });

  it('made by node-forge is signed', async () => {
    const keys = forge.pki.rsa.generateKeyPair(2048);
    const csr = forge.pki.createCertificationRequest();
    csr.publicKey = keys.publicKey;
    csr.setSubject([{ name: 'commonName', value: 'forged' }]);
    csr.sign(keys.privateKey, forge.md.sha256.create());
    await writeFile(scratch('forge.csr'), forge.pki.certificationRequestToPem(csr));
    await must('cert', 'sign', scratch('forge.csr'), '--out', scratch('forge.crt'));
  });

  it('that is bad is refused with the reason', async () => {
    const good = signRequest('CN=bad-1', ecKey());
    const flipped = Buffer.from(good);
    flipped[flipped.length - 3]! ^= 1;
    const tries: [string, Buffer, string][] = [
      ['weak', signRequest('CN=bad-1', rsaKey(1024)), 'pki-weak-key'],
      ['exponent', signRequest('CN=bad-1', rsaKey(2048, 3)), 'pki-weak-key'],
      ['curve', signRequest('CN=bad-1', ecKey('secp256k1')), 'pki-weak-key'],
      ['sha1', signRequest('CN=bad-1', rsaKey(), [], 'sha1'), 'pki-csr-signature'],
      ['flipped', flipped, 'pki-csr-signature'],
      ['truncated', good.subarray(0, 90), 'pki-csr-malformed'],
      ['trailing', Buffer.concat([good, Buffer.alloc(1)]), 'pki-csr-malformed'],
      ['bomb', Buffer.alloc(10_000, Buffer.from('3080', 'hex')), 'pki-csr-malformed'],
    ];
    for (const [name, der, code] of tries) {
      await writeFile(scratch(`${name}.csr`), der);
      const { error } = await refusal(fleet.cli, ['cert', 'sign', scratch(`${name}.csr`)]);
      expect([name, error.code]).toEqual([name, code]);
    }
    await must('coordinator', 'status');
  });
});

describe('the revocation list', () => {
  it('names an operator that was revoked as well', async () => {
    await must('operator', 'add', 'anna', '--role', 'viewer', '--out', scratch('anna'));
    const [list] = (await must('cert', 'crl', '--out', scratch('with-anna.crl'))).lists;
    const { revoked } = await must('operator', 'revoke', 'anna', '--reason', 'left the company', '--yes');
    const [next] = (await must('cert', 'crl', '--out', scratch('without-anna.crl'))).lists;
    expect(next.revokedCount).toBe(list.revokedCount + 1);
    const shown = await must('cert', 'inspect', scratch('without-anna.crl'));
    expect(shown.objects[0].revoked.map(({ serialHex }: any) => serialHex)).toContain(revoked[0]);
  });

  it('names a revoked certificate at once, in a form that openssl takes, by command and by HTTP', async () => {
    const dir = scratch('stolen');
    await must('cert', 'issue', 'stolen', '--out', dir);
    const before = await must('cert', 'crl', '--out', scratch('before.crl'));
    const again = await must('cert', 'crl', '--out', scratch('again.crl'));
    expect(again.lists).toEqual(before.lists);
    const { revoked } = await must('cert', 'revoke', 'stolen', '--reason', 'stolen from a van', '--yes');
    const after = await must('cert', 'crl', '--out', scratch('after.crl'));
    expect(after.lists[0].number).toBeGreaterThan(before.lists[0].number);
    expect(after.lists[0].revokedCount).toBe(before.lists[0].revokedCount + 1);
    await must('cert', 'crl', '--out', scratch('after.der'), '--der');

    const shown = await must('cert', 'inspect', scratch('after.der'));
    expect(shown.objects[0].revoked).toContainEqual(
      expect.objectContaining({ serialHex: revoked[0].serial, reason: 'keyCompromise' }),
    );
    const told = await openssl('crl', '-inform', 'DER', '-in', 'after.der', '-noout', '-CAfile', pki('authority.crt'));
    expect(told).toMatchObject({ exitCode: 0, output: expect.stringContaining('verify OK') });
    const crt = join(dir, 'device.crt');
    for (const [list, holds] of [
      ['before.crl', true],
      ['after.crl', false],
    ] as const) {
      const theirs = await openssl('verify', '-CAfile', pki('authority.crt'), '-CRLfile', list, '-crl_check', crt);
      const ours = await fleet.cli(['cert', 'verify', crt, '--ca', pki('authority.crt'), '--crl', scratch(list), '--json']); // prettier-ignore
      expect([theirs.exitCode === 0, ours.exitCode, ours.json().ok]).toEqual([holds, holds ? 0 : 4, holds]);
    }

    const url = `http://127.0.0.1:${listPort}`;
    const fetched = await fetch(`${url}/crl.pem`);
    expect(await fetched.text()).toBe(await readFile(scratch('after.crl'), 'utf8'));
    const der = await fetch(`${url}/crl.der`);
    expect(Buffer.from(await der.arrayBuffer()).equals(await readFile(scratch('after.der')))).toBe(true);
    expect(der.headers.get('content-type')).toBe('application/pkix-crl');
    const etag = der.headers.get('etag') ?? '';
    expect((await fetch(`${url}/crl.der`, { headers: { 'if-none-match': etag } })).status).toBe(304);
    expect((await fetch(`${url}/crl.der`, { method: 'POST', body: 'x' })).status).toBe(405);
    expect((await fetch(`${url}/v1/status`)).status).toBe(404);
    expect((await fetch(`${url}/${after.lists[0].authority}.crl`)).status).toBe(200);
  });

  it('goes on counting after a restart', async () => {
    const before = await must('cert', 'crl');
    await fleet.killCoordinator();
    await fleet.startCoordinator();
    const after = await must('cert', 'crl');
    expect(after.lists[0].number).toBeGreaterThan(before.lists[0].number);
    expect(after.lists[0].revokedCount).toBe(before.lists[0].revokedCount);
    await fleet.connected('honest');
  });
});

describe('the inventory', () => {
  it('tells what ends soon, what was revoked, and in which order', async () => {
    await must('cert', 'issue', 'short', '--out', scratch('short'), '--days', '7');
    const owners = async (...flags: string[]) =>
      (await must('cert', 'list', ...flags)).map(({ deviceId }: { deviceId: string }) => deviceId);
    expect(await owners('--expiring', '30d')).toEqual(['short']);
    expect(await owners('--expired')).toEqual([]);
    expect(await owners('--revoked')).toEqual(['stolen']);
    expect(await owners('--expiring', '30d', '--revoked')).toEqual(['short', 'stolen']);
    expect((await owners())[0]).toBe('short');
    const lint = await fleet.cli(['cert', 'lint', scratch('short', 'device.crt'), scratch('short', 'device.key'), '--strict', '--json']); // prettier-ignore
    expect([lint.exitCode, lint.json().findings.map(({ code }: { code: string }) => code)]).toEqual([4, ['ends-soon']]);
  });
});

/**
 * What OpenSSL takes and what harms nobody but its holder: no authority of a fleet issues these, and `cert lint` and
 * `cert verify` tell of them. The control, `good`, shows that the door is open.
 */
const admitted = [
  'small-exponent', 'authority-on-leaf', 'cert-sign-on-leaf', 'path-length-on-leaf', 'no-signature-usage', 'version-1',
  'serial-long', 'good',
]; // prettier-ignore

describe('a device with a bad certificate', () => {
  it('is refused at the door, and the others notice nothing', async () => {
    const inspected = await must('cert', 'inspect', pki('authority.crt'));
    const privateKey = createPrivateKey(await readFile(pki('issuing.key'), 'utf8'));
    const issuingKey = { privateKey, publicKey: createPublicKey(privateKey) };
    const { fleetId, subject } = inspected.objects[0];
    const bad = makeBadCertificates({ issuingKey, rootKey: ecKey() }, fleetId, subject, Date.now());
    const ca = await readFile(pki('authority.crt'));
    const key = ecKey();
    const extensions = deviceExtensions(fleetId, 'gw-001');
    const good = signDraft({
      subject: 'CN=gw-001',
      key,
      issuer: { subject, key: issuingKey },
      extensions,
      nowMs: Date.now(),
    });
    bad.push({ name: 'good', made: 'as it should be', chain: [good], key, reasons: [], findings: [] });
    const presented = bad.flatMap(({ name, chain, key: own }) => (own === undefined ? [] : { name, chain, own }));
    const outcomes = await Promise.all(
      presented.map(({ chain, own }) => {
        const keyPem = own.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
        return knock(ca, pem('CERTIFICATE', chain[0]!), keyPem);
      }),
    );
    const welcomed = presented.filter((_, at) => outcomes[at] === 'served').map(({ name }) => name);
    expect(welcomed).toEqual(admitted);
    expect((await must('device', 'show', 'honest')).connected).toBe(true);
    expect((await must('device', 'list')).map(({ id }: { id: string }) => id)).not.toContain('gw-002');
  });
});

/** What becomes of a TLS client: `refused` when the coordinator hangs up, `served` when it waits for a HELLO. */
function knock(ca: Buffer, cert: string, key: string): Promise<'refused' | 'served' | 'unusable'> {
  return new Promise((resolve) => {
    let socket: ReturnType<typeof connect>;
    try {
      socket = connect({ host: '127.0.0.1', port: fleet.port, ca, cert, key, ALPNProtocols: ['flotilla/1'], minVersion: 'TLSv1.3' }); // prettier-ignore
    } catch {
      return resolve('unusable'); // OpenSSL does not even load it
    }
    // HELLO never comes from here: a coordinator that has taken the certificate waits for it.
    const timer = setTimeout(() => resolve('served'), 4000);
    const end = () => {
      clearTimeout(timer);
      socket.destroy();
      resolve('refused');
    };
    socket.once('error', end).once('close', end);
    socket.resume();
  });
}
