/** Everything that a fleet makes, told by us and by openssl: field by field the same, and the same verdicts. */
import { createPublicKey } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDeviceKeyAndCsr } from '../../../src/pki/create-csr.ts';
import {
  type Authority,
  createIssuingAuthority,
  createRootAuthority,
  issueCoordinatorCertificate,
  issueDeviceCertificate,
  issueOperatorCertificate,
} from '../../../src/pki/index.ts';
import { parseCsr } from '../../../src/pki/csr.ts';
import { inspect, type CertificateDocument, type RevocationListDocument } from '../../../src/pki/inspect/index.ts';
import { formatPem } from '../../../src/pki/key.ts';
import { signRevocationList } from '../../../src/pki/sign-revocation-list.ts';
import { verifyCertificate } from '../../../src/pki/verify/verify.ts';
import { makeAuthorities, makeBadCertificates } from '../../support/bad-certificate.ts';
import { draftNowMs, pem, rsaKey, signRequest } from '../../support/certificate-draft.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const fleetId = 'f1';
const files: Record<string, string> = {};
let scratch: Awaited<ReturnType<typeof temporaryDirectory>>;
let root: Authority;
let issuing: Authority;
const kinds = ['root', 'issuing', 'coordinator', 'operator', 'device', 'device-rsa'];

async function openssl(...args: string[]): Promise<{ exitCode: number | undefined; output: string }> {
  const ran = await execa('openssl', args, { reject: false, all: true, stdin: 'ignore', cwd: scratch.path });
  return { exitCode: ran.exitCode, output: ran.all };
}
const put = async (name: string, text: string | Buffer): Promise<void> => {
  files[name] = String(text);
  await writeFile(join(scratch.path, name), text);
};
const document = async (name: string) => {
  const { objects } = await inspect({ file: name, bytes: Buffer.from(files[name]!) });
  return objects[0]!;
};

beforeAll(async () => {
  scratch = await temporaryDirectory();
  root = await createRootAuthority({ fleetId });
  issuing = await createIssuingAuthority(root);
  const nowMs = Date.now();
  const hosts = ['fleet.example.org', '192.0.2.7', '2001:db8::7', '::1', 'fe80::1:0:0:1'];
  const { csrPem } = await createDeviceKeyAndCsr('gw-001');
  const { publicKey } = await parseCsr(csrPem);
  const rsa = rsaKey();
  const device = { fleetId, deviceId: 'gw-001', nowMs };
  await put('root', root.certificatePem);
  await put('issuing', issuing.certificatePem);
  await put('coordinator', (await issueCoordinatorCertificate(issuing, { fleetId, hosts })).certificatePem);
  await put(
    'operator',
    (await issueOperatorCertificate(issuing, { fleetId, name: 'ada', role: 'admin', nowMs })).certificatePem,
  );
  await put('device', await issueDeviceCertificate(issuing, { ...device, publicKey }));
  await put('device-rsa', await issueDeviceCertificate(issuing, { ...device, publicKey: rsa.publicKey }));
  await put('bundle', issuing.certificatePem + root.certificatePem);
  await put('csr', csrPem);
  await put('csr-rsa', pem('CERTIFICATE REQUEST', signRequest('CN=gw-001/O=Harbour', rsa)));
});
afterAll(() => scratch?.[Symbol.asyncDispose]());

describe.each(kinds)('the certificate of kind %s', (kind) => {
  it('is told as openssl x509 tells it', async () => {
    const ours = (await document(kind)) as CertificateDocument;
    const { output } = await openssl(
      'x509', '-in', kind, '-noout', '-subject', '-issuer', '-serial', '-dates', '-dateopt', 'iso_8601',
      '-nameopt', 'RFC2253', '-fingerprint', '-sha256',
    ); // prettier-ignore
    const field = (name: string) => new RegExp(`^${name} ?= ?(.*)$`, 'm').exec(output)?.[1];
    expect({
      subject: ours.subject,
      issuer: ours.issuer,
      serial: ours.serialHex.toUpperCase(),
      notBefore: ours.notBefore.replace('T', ' ').replace('.000', ''),
      notAfter: ours.notAfter.replace('T', ' ').replace('.000', ''),
      sha256: ours.fingerprintSha256Hex.toUpperCase(),
    }).toEqual({
      subject: field('subject'),
      issuer: field('issuer'),
      serial: field('serial'),
      notBefore: field('notBefore'),
      notAfter: field('notAfter'),
      sha256: field('sha256 Fingerprint')?.replaceAll(':', ''),
    });
  });

  it('has the extensions, key and algorithm that openssl x509 -text shows', async () => {
    const ours = (await document(kind)) as CertificateDocument;
    const { output } = await openssl('x509', '-in', kind, '-noout', '-text');
    expect(ours.signatureAlgorithm).toBe(/Signature Algorithm: (\S+)/.exec(output)?.[1]);
    expect(ours.version).toBe(Number(/Version: (\d)/.exec(output)?.[1]));
    expect(ours.publicKey.bits).toBe(Number(/Public-Key: \((\d+) bit\)/.exec(output)?.[1]));
    const shown = [...output.matchAll(/^ {12}(X509v3 [^:]+): ?(critical)?\s*\n {16}(.*)$/gm)];
    const theirs = Object.fromEntries(shown.map(([, name, critical, value]) => [name, { critical: critical !== undefined, value: value!.trim() }])); // prettier-ignore
    expect(Object.keys(theirs)).toHaveLength(ours.extensions.length);
    for (const { name, critical } of ours.extensions) {
      expect(theirs[titles[name]!], name).toEqual({ critical, value: valueOf(ours, name) });
    }
  });

  it('is verified as openssl verify does', async () => {
    const authority = kind === 'root' || kind === 'issuing';
    const purpose = authority ? [] : ['-purpose', kind === 'coordinator' ? 'sslserver' : 'sslclient'];
    const { exitCode } = await openssl('verify', '-x509_strict', '-CAfile', 'bundle', ...purpose, kind);
    const trusted = [{ source: 'bundle', bytes: Buffer.from(files['bundle']!) }];
    const certificate = { source: kind, bytes: Buffer.from(files[kind]!) };
    const verdict = verifyCertificate({ certificate, trusted, atMs: Date.now() });
    expect(verdict.reasons).toEqual([]);
    expect(exitCode).toBe(0);
  });
});

const titles: Readonly<Record<string, string>> = {
  basicConstraints: 'X509v3 Basic Constraints',
  keyUsage: 'X509v3 Key Usage',
  extendedKeyUsage: 'X509v3 Extended Key Usage',
  subjectAltName: 'X509v3 Subject Alternative Name',
  subjectKeyIdentifier: 'X509v3 Subject Key Identifier',
  authorityKeyIdentifier: 'X509v3 Authority Key Identifier',
};
const usages: Readonly<Record<string, string>> = {
  digitalSignature: 'Digital Signature', keyCertSign: 'Certificate Sign', cRLSign: 'CRL Sign',
  clientAuth: 'TLS Web Client Authentication', serverAuth: 'TLS Web Server Authentication',
}; // prettier-ignore
const colons = (hex = '') => hex.toUpperCase().match(/../g)?.join(':');

/** In openssl's words. */
function valueOf(one: CertificateDocument, name: string): string | undefined {
  const { basicConstraints: basic, keyUsage, extendedKeyUsage, subjectAltNames } = one;
  switch (name) {
    case 'basicConstraints':
      return basic?.ca ? `CA:TRUE, pathlen:${basic.pathLength}` : 'CA:FALSE';
    case 'keyUsage':
      return keyUsage?.map((usage) => usages[usage]).join(', ');
    case 'extendedKeyUsage':
      return extendedKeyUsage?.map((usage) => usages[usage]).join(', ');
    case 'subjectAltName':
      return subjectAltNames.map(({ type, value }) => ({ dns: 'DNS:', uri: 'URI:', ip: 'IP Address:' })[type] + longAddress(type, value)).join(', '); // prettier-ignore
    case 'subjectKeyIdentifier':
      return colons(one.subjectKeyId);
    default:
      return colons(one.authorityKeyId);
  }
}

/** openssl writes every group of an IPv6 address. */
function longAddress(type: string, value: string): string {
  if (type !== 'ip' || !value.includes(':')) return value;
  const [head = '', tail = ''] = value.split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':'));
  const missing = 8 - groups(head).length - groups(tail).length;
  const all = value.includes('::') ? [...groups(head), ...Array.from({ length: missing }, () => '0'), ...groups(tail)] : groups(value); // prettier-ignore
  return all.map((group) => group.toUpperCase()).join(':');
}

describe('a request', () => {
  it.each(['csr', 'csr-rsa'])('%s is told as openssl req tells it', async (name) => {
    const ours = await document(name);
    const { output } = await openssl('req', '-in', name, '-noout', '-subject', '-nameopt', 'RFC2253', '-verify');
    const key = await openssl('req', '-in', name, '-noout', '-pubkey');
    expect(ours).toMatchObject({ kind: 'request', signatureHolds: /verify OK/.test(output) });
    const subject = /^subject=(.*)$/m.exec(output)?.[1];
    // RFC 2253 turns the order round.
    expect('subject' in ours && ours.subject.split(', ').toReversed().join(',')).toBe(subject);
    const spki = createPublicKey(key.output).export({ type: 'spki', format: 'der' });
    const { objects } = await inspect({ file: 'key', bytes: spki });
    expect('publicKey' in ours && ours.publicKey).toEqual('publicKey' in objects[0]! && objects[0].publicKey);
  });
});

describe('a revocation list', () => {
  const draft = { number: 4711, thisUpdateMs: Math.floor(Date.now() / 1000) * 1000 - 60_000, nextUpdateMs: Math.floor(Date.now() / 1000) * 1000 + 86_400_000 }; // prettier-ignore

  it('is told as openssl crl tells it, and its signature holds', async () => {
    const revoked = [0, 1, 4, 5].map((reasonCode, at) => ({
      serial: `4a0${at}ff`,
      revokedAtMs: draft.thisUpdateMs,
      reasonCode,
    }));
    await put('list', formatPem('X509 CRL', signRevocationList(issuing, { ...draft, revoked })));
    const ours = (await document('list')) as RevocationListDocument;
    const { output, exitCode } = await openssl(
      'crl',
      '-in',
      'list',
      '-noout',
      '-text',
      '-CAfile',
      'issuing',
      '-nameopt',
      'RFC2253',
    );
    expect([exitCode, output]).toEqual([0, expect.stringContaining('verify OK')]);
    expect(ours.version).toBe(Number(/Version (\d)/.exec(output)?.[1]));
    expect(ours.issuer).toBe(/Issuer: (.*)$/m.exec(output)?.[1]);
    expect(ours.thisUpdateMs).toBe(Date.parse(/Last Update: (.*)$/m.exec(output)![1]!));
    expect(ours.nextUpdateMs).toBe(Date.parse(/Next Update: (.*)$/m.exec(output)![1]!));
    expect(ours.number).toBe(/CRL Number:\s+(\d+)/.exec(output)?.[1]);
    expect(colons(ours.authorityKeyId)).toBe(/Authority Key Identifier:\s+([0-9A-F:]+)/.exec(output)?.[1]);
    expect(ours.revoked.map(({ serialHex }) => serialHex.toUpperCase())).toEqual(
      [...output.matchAll(/Serial Number: (\w+)/g)].map(([, serial]) => serial),
    );
    expect(ours.revoked.map(({ reason }) => reason)).toEqual(['unspecified', 'keyCompromise', 'superseded', 'cessationOfOperation']); // prettier-ignore
    expect([...output.matchAll(/Reason Code:\s+(.*)$/gm)].map(([, reason]) => reason)).toEqual(['Key Compromise', 'Superseded', 'Cessation Of Operation']); // prettier-ignore
  });

  it.each([
    ['a certificate that is not on it', false, {}, []],
    ['a revoked certificate', true, {}, ['revoked']],
    ['a list that is stale', false, { nextUpdateMs: Date.now() - 60_000 }, ['crl-stale']],
    ['a list of the future', false, { thisUpdateMs: Date.now() + 3_600_000 }, ['crl-not-yet-valid']],
  ] as const)('decides on %s as openssl verify -crl_check does', async (_, listed, change, codes) => {
    const { serialHex } = (await document('device')) as CertificateDocument;
    const revoked = listed ? [{ serial: serialHex, revokedAtMs: draft.thisUpdateMs, reasonCode: 1 }] : [];
    const list = formatPem('X509 CRL', signRevocationList(issuing, { ...draft, revoked, ...change }));
    await put('list', list);
    const { exitCode } = await openssl('verify', '-CAfile', 'bundle', '-CRLfile', 'list', '-crl_check', 'device');
    const named = (name: string) => ({ source: name, bytes: Buffer.from(files[name]!) });
    const verdict = verifyCertificate({
      certificate: named('device'), trusted: [named('bundle')], lists: [named('list')], atMs: Date.now(),
    }); // prettier-ignore
    expect(verdict.reasons.map(({ code }) => code)).toEqual(codes);
    expect(exitCode === 0).toBe(verdict.ok);
  });

  it('of 50,000 entries is made and read', async () => {
    const revoked = Array.from({ length: 50_000 }, (_, at) => ({
      serial: (0x4a00_0000_0000 + at).toString(16), revokedAtMs: draft.thisUpdateMs, reasonCode: 1,
    })); // prettier-ignore
    const der = signRevocationList(issuing, { ...draft, revoked });
    const { objects } = await inspect({ file: 'list', bytes: der });
    expect(objects[0]).toMatchObject({ revokedCount: 50_000 });
  });
});

/** Where we are stricter than `openssl verify -x509_strict`, and why. docs/guide/certificates.md says the same. */
const stricter: Readonly<Record<string, string>> = {
  indefinite: 'BER is no DER',
  'name-missing': 'it names no device',
  'name-null': 'it names no device',
  'name-other': 'it names no device',
  'name-several': 'it names no device',
  'no-signature-usage': 'TLS 1.3 needs digitalSignature; openssl takes keyAgreement, too',
  'odd-curve': 'the fleet takes three kinds of keys',
  'padded-length': 'BER is no DER',
  'purpose-missing': 'a device has one purpose',
  'purpose-wide': 'a device has one purpose',
  'serial-long': 'RFC 5280 allows 20 bytes',
  'serial-negative': 'RFC 5280 wants a positive number',
  'serial-zero': 'RFC 5280 wants a positive number',
  sha1: 'openssl refuses it with -auth_level 1 only',
  'small-exponent': 'openssl takes any exponent',
  trailing: 'bytes behind the end',
  'weak-rsa': 'openssl refuses it with -auth_level 2 only',
};

describe('the verdict on bad certificates', () => {
  it('is the same as that of openssl verify, but where we are known to be stricter', async () => {
    const authorities = makeAuthorities();
    const bundle = pem('CERTIFICATE', authorities.issuing) + pem('CERTIFICATE', authorities.root);
    await put('bad-bundle', bundle);
    const differing: string[] = [];
    for (const { name, chain } of makeBadCertificates(authorities)) {
      await put('bad', pem('CERTIFICATE', chain[0]!));
      await put('bad-chain', chain.slice(1).map((der) => pem('CERTIFICATE', der)).join('') || '\n'); // prettier-ignore
      const untrusted = chain.length > 1 ? ['-untrusted', 'bad-chain'] : [];
      const theirs = await openssl(
        'verify', '-x509_strict', '-CAfile', 'bad-bundle', ...untrusted, '-purpose', 'sslclient',
        '-attime', String(draftNowMs / 1000), 'bad',
      ); // prettier-ignore
      const ours = verifyCertificate({
        certificate: { source: 'bad', bytes: Buffer.from(files['bad']! + files['bad-chain']!) },
        trusted: [{ source: 'bad-bundle', bytes: Buffer.from(bundle) }],
        purpose: 'device',
        atMs: draftNowMs,
      });
      if (ours.ok !== (theirs.exitCode === 0)) differing.push(`${name}${ours.ok ? ': only we accept it' : ''}`);
    }
    expect(differing.toSorted()).toEqual(Object.keys(stricter).toSorted());
  });
});
