/**
 * An authority of somebody else's that is to be trusted: what it must be, and the proof that its owner takes part. A CA
 * certificate is public; without a proof anybody could register the authority of another, and name its devices.
 */
import 'reflect-metadata';
import { type KeyObject, verify, type X509Certificate } from 'node:crypto';
import { KeyUsageFlags, KeyUsagesExtension, X509Certificate as ParsedCertificate } from '@peculiar/x509';
import { FlotillaError } from '../error.ts';
import { parseCertificate } from './certificate.ts';
import { parseAuthorityName } from './profile.ts';
import { describePublicKey, validatePublicKey } from './public-key.ts';
import { splitPem } from './split-pem.ts';

const maxChain = 8;
const namePattern = /^[a-z][a-z0-9-]{0,31}$/;

export function validateAuthorityName(name: string): void {
  if (namePattern.test(name) && !/^(?:issuing|root)(?:-|$)/.test(name)) return;
  throw new FlotillaError('usage', 'authority-name', 'an authority is not registered under such a name', {
    seen: JSON.stringify(name.slice(0, 80)),
    expected: 'one to 32 of a-z 0-9 - with a letter first, and not issuing-… or root-…',
  });
}

export interface RegisteredChain {
  certificate: X509Certificate;
  /** The authority, and those above it. */
  pem: string;
}

/** Reads and judges a chain: the authority first, each signed by the next, the last by itself. */
export function readAuthorityChain(pem: string, nowMs: number): RegisteredChain {
  const chain = splitPem(pem).map((text, index) => parseCertificate(text, `certificate ${index + 1} of the file`));
  const [first] = chain;
  if (first === undefined || chain.length > maxChain) {
    throw refused('the file holds no chain of authorities', `${chain.length} certificates`, `1 to ${maxChain}, as PEM`);
  }
  for (const [index, certificate] of chain.entries()) {
    judgeAuthority(certificate, nowMs);
    const above = chain[index + 1] ?? certificate;
    if (certificate.checkIssued(above) && certificate.verify(above.publicKey)) continue;
    const seen = `${lineOf(certificate.subject)}, signed by ${lineOf(certificate.issuer)}`;
    throw refused('the chain has a gap', seen, 'the certificates above it behind it, up to one signed by itself');
  }
  return { certificate: first, pem: chain.map(String).join('') };
}

function judgeAuthority(certificate: X509Certificate, nowMs: number): void {
  const name = lineOf(certificate.subject);
  if (!certificate.ca) throw refused(`${name} is no authority`, 'basic constraints without CA', 'CA:TRUE');
  const usages = new ParsedCertificate(certificate.raw).getExtension(KeyUsagesExtension)?.usages;
  // oxlint-disable-next-line no-bitwise
  if (usages !== undefined && (usages & KeyUsageFlags.keyCertSign) === 0) {
    throw refused(`${name} may not sign certificates`, 'key usage without keyCertSign', 'keyCertSign');
  }
  if (certificate.validToDate.getTime() <= nowMs || certificate.validFromDate.getTime() > nowMs) {
    throw refused(`${name} is not valid now`, `${certificate.validFrom} to ${certificate.validTo}`, 'a valid one');
  }
  // The names of our own authorities say who we are: nobody else may have one, of this fleet or of another.
  if (parseAuthorityName(certificate.subject) !== undefined) {
    throw refused('an authority of a fleet is not registered', name, 'an authority with a name of its own');
  }
  try {
    validatePublicKey(certificate.publicKey);
  } catch (cause) {
    throw refused(
      `${name} has a weak key`,
      describePublicKey(certificate.publicKey),
      'EC P-256, P-384, RSA from 2048',
      cause,
    );
  }
}

/** The one of these nonces that the proof is for, or undefined. `proof`: PEM of a certificate, or base64. */
export function provedNonce(authority: X509Certificate, proof: string, nonces: readonly string[]): string | undefined {
  const key = authority.publicKey;
  if (proof.includes('-----BEGIN CERTIFICATE-----')) {
    const certificate = parseCertificate(proof, 'the proof');
    if (!certificate.checkIssued(authority) || !certificate.verify(key)) return undefined;
    const names = certificate.subject.split('\n').filter((line) => line.startsWith('CN='));
    return names.length === 1 ? nonces.find((nonce) => names[0] === `CN=${nonce}`) : undefined;
  }
  const signature = Buffer.from(proof, 'base64');
  return nonces.find((nonce) =>
    // With and without the line end that an editor or `echo` puts there.
    [nonce, `${nonce}\n`].some((text) => verifies(text, key, signature)),
  );
}

function verifies(text: string, key: KeyObject, signature: Buffer): boolean {
  try {
    return verify('sha256', Buffer.from(text), key, signature);
  } catch {
    return false;
  }
}

function lineOf(name: string): string {
  return name.replaceAll('\n', ', ').slice(0, 200);
}

function refused(message: string, seen: string, expected: string, cause?: unknown): FlotillaError {
  return new FlotillaError('refused', 'authority-unfit', message, {
    seen,
    expected,
    ...(cause === undefined ? {} : { cause }),
  });
}
