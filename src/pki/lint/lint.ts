/** `cert lint`: everything in the named files that will fail, is unsafe, or could be better, in plain language. */
import type { KeyObject } from 'node:crypto';
import { FlotillaError } from '../../error.ts';
import { roleOf } from '../inspect/describe-certificate.ts';
import { openPrivateKey, spkiOf } from '../inspect/describe-key.ts';
import { formatMode } from '../inspect/inspect.ts';
import { type Material, readMaterial } from '../inspect/material.ts';
import { openPkcs12, readPkcs12Shell, type Pkcs12Shell } from '../pkcs12/read-pkcs12.ts';
import { isBrokenHash, verifySignature } from '../x509/algorithm.ts';
import { type CertificateContent, decodeCertificate } from '../x509/certificate.ts';
import { attributesOf, commonNameId, sameName } from '../x509/distinguished-name.ts';
import { decodeRequest } from '../x509/request.ts';
import { decodeRevocationList } from '../x509/revocation-list.ts';
import { isDeviceId } from '../profile.ts';
import { lintCertificate } from './certificate-rule.ts';
import { type CertificateFinding, type Told, told } from './finding.ts';
import { lintPublicKey } from './key-rule.ts';

export interface LintInput {
  file: string;
  bytes: Uint8Array;
  /** Permission bits of a regular file. */
  mode?: number | undefined;
}

export interface LintOption {
  nowMs: number;
  soonDays: number;
  passphrase?: string | undefined;
}

interface Seen {
  certificates: { content: CertificateContent; where: string }[];
  keys: { spki: Buffer; where: string }[];
}

const minRounds = 10_000;

/** Findings in the order of the files; what files say of each other comes last. */
export async function lintMaterial(inputs: readonly LintInput[], option: LintOption): Promise<CertificateFinding[]> {
  const findings: CertificateFinding[] = [];
  const seen: Seen = { certificates: [], keys: [] };
  for (const input of inputs) {
    const where = input.file === '-' ? 'standard input' : input.file;
    const tell = (all: readonly Told[], place = where) =>
      findings.push(...all.map((one) => ({ ...one, where: place })));
    try {
      const materials = readMaterial(input.bytes, where);
      tell(lintMode(materials, input.mode));
      for (const material of materials) tell(await lintOne(material, seen, option), material.thing);
    } catch (error) {
      if (!(error instanceof FlotillaError)) throw error;
      tell([lintRefusal(error)]);
    }
  }
  return [...findings, ...lintTogether(seen)];
}

/** What could not even be read is a finding like any other: a list of files is judged to its end. */
function lintRefusal({ code, message, detail }: FlotillaError): Told {
  const seen = detail.seen === undefined ? message : `${message}: ${detail.seen}`;
  const mend = detail.suggestion ?? detail.expected ?? 'take the file again from where it was made';
  return told('error', code.replace(/^pki-/, ''), seen, 'nobody can use it as it is', mend);
}

function lintMode(materials: readonly Material[], mode: number | undefined): Told[] {
  const secret = materials.find(({ kind }) => kind === 'private-key' || kind === 'encrypted-key' || kind === 'pkcs12');
  if (secret === undefined || mode === undefined || (mode & 0o077) === 0) return [];
  const severity = secret.kind === 'private-key' ? 'error' : 'warning';
  const seen = `mode ${formatMode(mode)} on a file with ${secret.kind === 'pkcs12' ? 'PKCS#12' : 'a private key'}`;
  const why = 'others on this machine may read it; flotilla refuses such a key';
  return [
    told(
      severity,
      'key-file-exposed',
      seen,
      why,
      'chmod 600, ask who could have read it, and replace the key if in doubt',
    ),
  ];
}

async function lintOne(material: Material, seen: Seen, option: LintOption): Promise<Told[]> {
  const { kind, der, thing } = material;
  switch (kind) {
    case 'certificate': {
      const content = decodeCertificate(der, thing);
      seen.certificates.push({ content, where: thing });
      const { role } = roleOf(content);
      const known = role === 'other' && content.known.basicConstraints?.ca === true ? 'authority' : role;
      return lintCertificate({ content, role: known, ...option });
    }
    case 'request':
      return lintRequest(der, thing);
    case 'revocation-list':
      return lintRevocationList(der, thing, option);
    case 'private-key':
    case 'encrypted-key':
      return lintPrivateKey(await openPrivateKey(material, option.passphrase), thing, seen);
    case 'public-key':
      return [];
    case 'pkcs12':
      return lintPkcs12(readPkcs12Shell(der, thing), thing, seen, option);
  }
}

function lintPrivateKey(key: KeyObject | undefined, thing: string, seen: Seen): Told[] {
  if (key === undefined) return [];
  seen.keys.push({ spki: spkiOf(key), where: thing });
  return lintPublicKey(key);
}

function lintRequest(der: Uint8Array, thing: string): Told[] {
  const content = decodeRequest(der, thing);
  const { publicKey, signatureAlgorithm, signed, signature, subject, known } = content;
  const found = lintPublicKey(publicKey);
  const again = 'make the request again where the key is';
  if (publicKey !== undefined && !verifySignature(signatureAlgorithm, publicKey, signed, signature)) {
    found.push(
      told(
        'error',
        'request-not-proven',
        'its own key did not sign it',
        'its sender does not prove to hold the key',
        again,
      ),
    );
  }
  if (isBrokenHash(signatureAlgorithm.hash)) {
    found.push(
      told(
        'error',
        'signature-weak',
        `it is signed with ${signatureAlgorithm.name}`,
        'it proves nothing; the coordinator refuses it',
        again,
      ),
    );
  }
  const names = attributesOf(subject, commonNameId);
  if (names.length !== 1 || !isDeviceId(names[0]!)) {
    const why = 'the CN says which device asks; without a device id there it is signed only with --device ID';
    found.push(
      told(
        'warning',
        'request-name',
        `subject ${subject.text || '(empty)'}`,
        why,
        'make it with one CN: the id of the device',
      ),
    );
  }
  if (known.basicConstraints?.ca === true) {
    found.push(
      told(
        'warning',
        'request-authority',
        'it asks to become an authority',
        'the coordinator gives what the profile says, never this',
        again,
      ),
    );
  }
  return found;
}

function lintRevocationList(der: Uint8Array, thing: string, { nowMs }: LintOption): Told[] {
  const list = decodeRevocationList(der, thing);
  const found: Told[] = [];
  const fetch = 'fetch it again: flotilla cert crl --out FILE';
  if (list.nextUpdateMs === undefined) {
    found.push(
      told('warning', 'crl-endless', 'no nextUpdate', 'an old list can not be told from a current one', fetch),
    );
  } else if (list.nextUpdateMs < nowMs) {
    const seen = `it should have been renewed by ${new Date(list.nextUpdateMs).toISOString()}`;
    found.push(
      told(
        'error',
        'crl-stale',
        seen,
        'whoever checks it refuses every certificate, or misses the newest revocations',
        fetch,
      ),
    );
  }
  if (list.thisUpdateMs > nowMs) {
    const seen = `it holds from ${new Date(list.thisUpdateMs).toISOString()}`;
    found.push(
      told(
        'error',
        'crl-not-yet-valid',
        seen,
        'it is refused until then; one of the clocks is wrong',
        'check the clocks: date -u',
      ),
    );
  }
  if (isBrokenHash(list.signatureAlgorithm.hash)) {
    found.push(
      told(
        'error',
        'signature-weak',
        `it is signed with ${list.signatureAlgorithm.name}`,
        'a revocation can be taken out of it',
        fetch,
      ),
    );
  }
  if (list.number === undefined || list.version !== 2) {
    found.push(
      told(
        'warning',
        'crl-number-missing',
        `version ${list.version}, number ${list.number ?? 'absent'}`,
        'RFC 5280 wants version 2 with a number, which tells the newer of two lists',
        fetch,
      ),
    );
  }
  for (const serialHex of list.repeated) {
    found.push(
      told('warning', 'crl-entry-repeated', `serial ${serialHex} twice`, 'one of the two reasons is not seen', fetch),
    );
  }
  return found;
}

async function lintPkcs12(shell: Pkcs12Shell, thing: string, seen: Seen, option: LintOption): Promise<Told[]> {
  const found: Told[] = [];
  const again = 'export it again: flotilla cert export';
  const { mac } = shell;
  if (mac === undefined) {
    found.push(told('warning', 'pkcs12-no-mac', 'no MAC', 'nobody would notice that it was changed', again));
  } else if (isBrokenHash(mac.hash) || mac.rounds < minRounds) {
    const why = 'its passphrase can be tried fast; the MAC is the cheapest way to try one';
    found.push(told('warning', 'pkcs12-weak-mac', `HMAC with ${mac.hash}, ${mac.rounds} rounds`, why, again));
  }
  for (const { encryption } of shell.safes) {
    if (encryption === undefined || encryption.scheme === 'PBES2') continue;
    const why = 'old ciphers with a passphrase that can be tried fast; RC2 with 40 bits is no protection at all';
    found.push(told('warning', 'pkcs12-weak-cipher', encryption.scheme, why, again));
  }
  if (option.passphrase === undefined) return found;
  const { keys, certificates } = await openPkcs12(shell, option.passphrase, thing);
  const inner = (kind: 'private-key' | 'certificate', der: Uint8Array): Material => ({
    kind,
    encoding: 'DER',
    der,
    thing,
  });
  for (const { der } of keys) found.push(...(await lintOne(inner('private-key', der), seen, option)));
  for (const { der } of certificates) found.push(...(await lintOne(inner('certificate', der), seen, option)));
  return found;
}

/** A key that is none of the certificates' own, and a chain whose order or signatures do not fit. */
function lintTogether({ certificates, keys }: Seen): CertificateFinding[] {
  const findings: CertificateFinding[] = [];
  for (const { spki, where } of certificates.length === 0 ? [] : keys) {
    if (certificates.some(({ content }) => spki.equals(content.spki))) continue;
    const seen = `the key is of none of: ${certificates.map((one) => one.where).join(', ')}`;
    const why = 'TLS does not start with a key and a certificate that do not belong together';
    findings.push({ ...told('error', 'key-mismatch', seen, why, 'restore both from the same backup'), where });
  }
  for (const { content, where } of certificates) {
    const named = certificates.filter((other) => sameName(other.content.subject, content.issuer));
    const { signatureAlgorithm, signed, signature } = content;
    const signs = ({ content: { publicKey } }: (typeof certificates)[number]) =>
      publicKey !== undefined && verifySignature(signatureAlgorithm, publicKey, signed, signature);
    if (named.length === 0 || named.some(signs)) continue;
    const seen = `${named.map((one) => one.where).join(', ')} is named as its issuer, and did not sign it`;
    const why = 'another authority of the same name did: the chain does not hold';
    findings.push({ ...told('error', 'issuer-mismatch', seen, why, 'put the authority there that signed it'), where });
  }
  return findings;
}
