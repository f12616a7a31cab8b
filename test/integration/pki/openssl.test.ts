/** What we issue, judged by Debian's openssl; what it writes, read by us. */
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Authority,
  createDeviceKeyAndCsr,
  createIssuingAuthority,
  createRootAuthority,
  encryptPrivateKey,
  formatPrivateKey,
  issueCoordinatorCertificate,
  issueDeviceCertificate,
  issueOperatorCertificate,
  loadIssuingAuthority,
  loadRootAuthority,
  parseCsr,
  parseDeviceIdentity,
  parsePrivateKey,
  readPassphraseFile,
  saveAuthorityKey,
  writeSecretFile,
} from '../../../src/pki/index.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const fleetId = 'f1';
const passphrase = 'correct horse battery';
const code = (value: string) => expect.objectContaining({ name: 'FlotillaError', code: value });

let scratch: Awaited<ReturnType<typeof temporaryDirectory>>;
let root: Authority;
let issuing: Authority;
const at = (name: string) => join(scratch.path, name);

async function openssl(...args: string[]): Promise<{ exitCode: number | undefined; output: string }> {
  const { exitCode, all } = await execa('openssl', args, {
    reject: false,
    all: true,
    stdin: 'ignore',
    cwd: scratch.path,
  });
  return { exitCode, output: all };
}

beforeAll(async () => {
  scratch = await temporaryDirectory();
  root = await createRootAuthority({ fleetId });
  issuing = await createIssuingAuthority(root);
  const coordinator = await issueCoordinatorCertificate(issuing, {
    fleetId,
    hosts: ['fleet.example.org', '192.0.2.7'],
  });
  const operator = await issueOperatorCertificate(issuing, { fleetId, name: 'ada', role: 'admin', nowMs: Date.now() });
  const { csrPem } = await createDeviceKeyAndCsr('dev-1');
  const { publicKey } = await parseCsr(csrPem);
  const device = { fleetId, deviceId: 'dev-1', publicKey, nowMs: Date.now() };
  await writeFile(at('device.csr'), csrPem);
  await writeFile(at('root.crt'), root.certificatePem);
  await writeFile(at('issuing.crt'), issuing.certificatePem);
  await writeFile(at('coordinator.crt'), coordinator.certificatePem);
  await writeFile(at('operator.crt'), operator.certificatePem);
  await writeFile(at('device.crt'), await issueDeviceCertificate(issuing, device));
});
afterAll(() => scratch[Symbol.asyncDispose]());

describe('openssl verify', () => {
  const strict = ['verify', '-x509_strict', '-CAfile', 'root.crt', '-untrusted', 'issuing.crt'];

  it('accepts each leaf for its own purpose only', async () => {
    const verdict = async (purpose: string, file: string) =>
      (await openssl(...strict, '-purpose', purpose, file)).exitCode === 0;
    expect(await verdict('sslclient', 'device.crt')).toBe(true);
    expect(await verdict('sslserver', 'device.crt')).toBe(false);
    expect(await verdict('sslclient', 'operator.crt')).toBe(true);
    expect(await verdict('sslserver', 'operator.crt')).toBe(false);
    expect(await verdict('sslserver', 'coordinator.crt')).toBe(true);
    expect(await verdict('sslclient', 'coordinator.crt')).toBe(false);
  });

  it('accepts a device with the issuing authority alone as its anchor', async () => {
    const { exitCode } = await openssl(
      'verify',
      '-x509_strict',
      '-partial_chain',
      '-CAfile',
      'issuing.crt',
      'device.crt',
    );
    expect(exitCode).toBe(0);
  });

  it('accepts the coordinator at 1970, at 2039 and at 9999', async () => {
    for (const seconds of [1, 2_177_452_800, 253_402_300_798]) {
      const { exitCode, output } = await openssl(...strict, '-attime', String(seconds), 'coordinator.crt');
      expect({ seconds, exitCode, output }).toMatchObject({ exitCode: 0 });
    }
  });

  it('accepts the coordinator under each of its names and no other', async () => {
    const match = async (...name: string[]) => (await openssl(...strict, ...name, 'coordinator.crt')).exitCode === 0;
    expect(await match('-verify_hostname', 'coordinator.f1.flotilla')).toBe(true);
    expect(await match('-verify_hostname', 'fleet.example.org')).toBe(true);
    expect(await match('-verify_ip', '192.0.2.7')).toBe(true);
    expect(await match('-verify_hostname', 'coordinator.f2.flotilla')).toBe(false);
  });

  it('refuses a device certificate that stands as an authority', async () => {
    const { privateKeyPem } = await createDeviceKeyAndCsr('dev-1');
    await writeFile(at('rogue.key'), privateKeyPem);
    const { publicKey } = await parseCsr((await createDeviceKeyAndCsr('dev-2')).csrPem);
    const rogue: Authority = {
      fleetId,
      commonName: 'dev-1',
      certificatePem: await readFile(at('device.crt'), 'utf8'),
      privateKey: parsePrivateKey(privateKeyPem, 'rogue'),
    };
    const child = { fleetId, deviceId: 'dev-2', publicKey, nowMs: Date.now() };
    await writeFile(at('child.crt'), await issueDeviceCertificate(rogue, child));
    const { exitCode } = await openssl(
      'verify',
      '-CAfile',
      'root.crt',
      '-untrusted',
      'issuing.crt',
      '-untrusted',
      'device.crt',
      'child.crt',
    );
    expect(exitCode).not.toBe(0);
  });
});

describe('openssl x509 -text', () => {
  it('shows the device certificate as the design says', async () => {
    const { output } = await openssl(
      'x509',
      '-in',
      'device.crt',
      '-noout',
      '-text',
      '-certopt',
      'no_sigdump,no_pubkey',
    );
    expect(output).toContain('Issuer: CN = f1 issuing authority');
    expect(output).toContain('Subject: CN = dev-1\n');
    expect(output).toContain('ecdsa-with-SHA256');
    expect(output).toMatch(/Extended Key Usage: critical\s+TLS Web Client Authentication\n/);
    expect(output).toMatch(/Subject Alternative Name:\s+URI:flotilla:\/\/f1\/device\/dev-1\n/);
    expect(output).toMatch(/Serial Number:\s+(?:[0-9a-f]{2}:){15}[0-9a-f]{2}\n/);
    expect(output).toContain('CA:FALSE');
  });

  it('shows the authorities with their path lengths', async () => {
    expect((await openssl('x509', '-in', 'root.crt', '-noout', '-text')).output).toContain('CA:TRUE, pathlen:1');
    expect((await openssl('x509', '-in', 'issuing.crt', '-noout', '-text')).output).toContain('CA:TRUE, pathlen:0');
  });

  it('agrees with us on serial number, fingerprint and dates', async () => {
    const identity = parseDeviceIdentity(await readFile(at('device.crt')));
    const { output } = await openssl(
      'x509',
      '-in',
      'device.crt',
      '-noout',
      '-serial',
      '-fingerprint',
      '-sha256',
      '-dates',
    );
    const field = (name: string) => new RegExp(`${name}=(.*)`, 'i').exec(output)?.[1] ?? '';
    expect(field('serial').toLowerCase()).toBe(identity.serialHex);
    expect(field('fingerprint').replaceAll(':', '').toLowerCase()).toBe(identity.fingerprintSha256Hex);
    expect(Date.parse(field('notBefore'))).toBe(identity.notBeforeMs);
    expect(Date.parse(field('notAfter'))).toBe(identity.notAfterMs);
  });
});

describe('signing requests', () => {
  it('of ours verify with openssl', async () => {
    const { exitCode, output } = await openssl('req', '-in', 'device.csr', '-verify', '-noout', '-subject');
    expect(exitCode).toBe(0);
    expect(output).toContain('CN = dev-1');
  });

  it.each([
    ['EC P-256', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']],
    ['EC P-384', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384', '-sha384']],
    ['RSA 2048', ['-newkey', 'rsa:2048']],
  ])('of openssl with %s become certificates that openssl accepts', async (kind, args) => {
    const made = await openssl(
      'req',
      '-new',
      '-nodes',
      ...args,
      '-subj',
      '/CN=dev-9',
      '-keyout',
      'o.key',
      '-out',
      'o.csr',
    );
    expect(made.exitCode).toBe(0);
    const { keyKind, publicKey, commonName } = await parseCsr(await readFile(at('o.csr')));
    expect({ keyKind, commonName }).toEqual({ keyKind: kind, commonName: 'dev-9' });
    const option = { fleetId, deviceId: 'dev-9', publicKey, nowMs: Date.now() };
    await writeFile(at('o.crt'), await issueDeviceCertificate(issuing, option));
    expect((await openssl('verify', '-CAfile', 'root.crt', '-untrusted', 'issuing.crt', 'o.crt')).exitCode).toBe(0);
  });

  it.each([
    ['ed25519', ['-newkey', 'ed25519']],
    ['RSA 1024', ['-newkey', 'rsa:1024']],
    ['EC secp256k1', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp256k1']],
  ])('of openssl with %s are refused', async (_kind, args) => {
    await openssl('req', '-new', '-nodes', ...args, '-subj', '/CN=dev-9', '-keyout', 'w.key', '-out', 'w.csr');
    await expect(readFile(at('w.csr')).then(parseCsr)).rejects.toEqual(code('pki-weak-key'));
  });
});

describe('the root key', () => {
  it('encrypted by us is scrypt and opens with openssl', async () => {
    await writeFile(at('enc.key'), await encryptPrivateKey(root.privateKey, passphrase));
    expect((await openssl('asn1parse', '-in', 'enc.key')).output).toMatch(/scrypt[\s\S]*aes-256-cbc/);
    const opened = await openssl('pkey', '-in', 'enc.key', '-passin', `pass:${passphrase}`);
    expect(opened.output).toBe(formatPrivateKey(root.privateKey).trimEnd());
    expect((await openssl('pkey', '-in', 'enc.key', '-passin', 'pass:wrong horse')).exitCode).not.toBe(0);
  });

  it('encrypted by openssl opens with us', async () => {
    await writeFile(at('plain.key'), formatPrivateKey(root.privateKey));
    await openssl(
      'pkcs8',
      '-topk8',
      '-scrypt',
      '-in',
      'plain.key',
      '-out',
      'theirs.key',
      '-passout',
      `pass:${passphrase}`,
    );
    const pem = await readFile(at('theirs.key'), 'utf8');
    expect(parsePrivateKey(pem, 'theirs.key', passphrase).equals(root.privateKey)).toBe(true);
    expect(() => parsePrivateKey(pem, 'theirs.key')).toThrow(code('pki-passphrase-needed') as Error);
    expect(() => parsePrivateKey(pem, 'theirs.key', 'wrong horse')).toThrow(code('pki-passphrase-wrong') as Error);
  });

  it('is not encrypted by a short passphrase', async () => {
    await expect(encryptPrivateKey(root.privateKey, 'short')).rejects.toEqual(code('pki-passphrase-short'));
  });
});

describe('authority files', () => {
  const files = (name: string) => ({ certificateFile: at(`${name}.crt`), keyFile: at(`${name}.saved.key`) });

  it('come back as they were saved, the keys with mode 0600', async () => {
    await saveAuthorityKey(root, files('root').keyFile, passphrase);
    await saveAuthorityKey(issuing, files('issuing').keyFile);
    const rootAgain = await loadRootAuthority({ ...files('root'), passphrase });
    const issuingAgain = await loadIssuingAuthority(files('issuing'));
    expect(rootAgain.privateKey.equals(root.privateKey)).toBe(true);
    expect(issuingAgain).toMatchObject({ fleetId, commonName: issuing.commonName });
    const { stdout } = await execa('stat', ['-c', '%a', files('issuing').keyFile, files('root').keyFile]);
    expect(stdout).toBe('600\n600');
  });

  it('are never replaced', async () => {
    await expect(saveAuthorityKey(issuing, files('issuing').keyFile)).rejects.toEqual(code('secret-file-exists'));
  });

  it('are refused when others may read the key, with the chmod that mends it', async () => {
    const { keyFile } = files('issuing');
    for (const mode of [0o640, 0o604, 0o660, 0o610]) {
      await chmod(keyFile, mode);
      const error = await loadIssuingAuthority(files('issuing')).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'secret-file-exposed', detail: { suggestion: `chmod 600 ${keyFile}` } });
    }
    await chmod(keyFile, 0o400);
    await expect(loadIssuingAuthority(files('issuing'))).resolves.toMatchObject({ fleetId });
  });

  it('are refused when key and certificate are strangers, or the certificate is of another kind', async () => {
    const keyFile = at('stranger.key');
    await saveAuthorityKey(await createRootAuthority({ fleetId }), keyFile);
    const load = (certificateFile: string) => loadIssuingAuthority({ certificateFile, keyFile });
    await expect(load(at('issuing.crt'))).rejects.toEqual(code('pki-key-mismatch'));
    await expect(load(at('root.crt'))).rejects.toEqual(code('pki-not-an-authority'));
    await expect(load(at('device.crt'))).rejects.toEqual(code('pki-not-an-authority'));
    await expect(load(at('absent.crt'))).rejects.toEqual(code('pki-certificate-unreadable'));
  });
});

describe('a passphrase file', () => {
  it('gives its first line, and is refused when others may read it', async () => {
    await writeSecretFile(at('pass'), `${passphrase}\nanother line\n`);
    expect(await readPassphraseFile(at('pass'))).toBe(passphrase);
    await chmod(at('pass'), 0o644);
    await expect(readPassphraseFile(at('pass'))).rejects.toEqual(code('secret-file-exposed'));
    await expect(readPassphraseFile(at('absent'))).rejects.toEqual(code('secret-file-unreadable'));
    await writeSecretFile(at('large'), 'x'.repeat(70_000));
    await expect(readPassphraseFile(at('large'))).rejects.toEqual(code('secret-file-too-large'));
    await writeSecretFile(at('empty'), '\n');
    await expect(readPassphraseFile(at('empty'))).rejects.toEqual(code('pki-passphrase-short'));
  });
});
