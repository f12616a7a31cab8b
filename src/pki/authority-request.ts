/**
 * A new issuing authority in three steps, so that the root key never meets the coordinator: the coordinator makes the
 * key and a request; whoever has the root signs it, on whatever machine; the coordinator looks at what it gets.
 */
import 'reflect-metadata';
import { type KeyObject, X509Certificate, createPublicKey } from 'node:crypto';
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Pkcs10CertificateRequest,
  Pkcs10CertificateRequestGenerator,
  X509Certificate as ParsedCertificate,
} from '@peculiar/x509';
import { FlotillaError } from '../error.ts';
import { parseCertificate } from './certificate.ts';
import { type Authority, signAuthorityCertificate } from './issue.ts';
import { formatPem } from './key.ts';
import {
  type NameConstraint,
  constraintExtension,
  decodeNameConstraint,
  nameConstraintOid,
  readNameConstraint,
} from './name-constraint.ts';
import { alwaysNotAfterMs, alwaysNotBeforeMs, issuingCommonName, parseAuthorityName } from './profile.ts';
import { describePublicKey } from './public-key.ts';

const maxRequestBytes = 16 * 1024;
const requestPattern = /-----BEGIN CERTIFICATE REQUEST-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE REQUEST-----/;
const ecdsa = { name: 'ECDSA', namedCurve: 'P-256' } as const;

export interface AuthorityCsr {
  fleetId: string;
  number: number;
  publicKey: KeyObject;
  nameConstraint?: NameConstraint;
}

/** PEM. The wish for name constraints travels in it. */
export async function createAuthorityCsr(
  privateKey: KeyObject,
  { fleetId, number, nameConstraint }: Omit<AuthorityCsr, 'publicKey'>,
): Promise<string> {
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: [issuingCommonName(fleetId, number)] }],
    keys: {
      privateKey: privateKey.toCryptoKey(ecdsa, false, ['sign']),
      publicKey: createPublicKey(privateKey).toCryptoKey(ecdsa, true, ['verify']),
    },
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    extensions: nameConstraint === undefined ? [] : [constraintExtension(nameConstraint)],
  });
  return formatPem('CERTIFICATE REQUEST', new Uint8Array(request.rawData));
}

/** Whoever sent it holds the key; everything else in it is a wish that the signer looks at. */
export async function parseAuthorityCsr(pem: string, source = 'the request'): Promise<AuthorityCsr> {
  const body = pem.length > maxRequestBytes ? undefined : requestPattern.exec(pem)?.[1];
  if (body === undefined) throw noRequest(source, 'no certificate request that can be read');
  let request: Pkcs10CertificateRequest;
  let publicKey: KeyObject;
  try {
    request = new Pkcs10CertificateRequest(Buffer.from(body, 'base64'));
    publicKey = createPublicKey({ key: Buffer.from(request.publicKey.rawData), type: 'spki', format: 'der' });
  } catch (error) {
    throw noRequest(source, 'a body that does not decode', error);
  }
  const name = parseAuthorityName(request.subject);
  if (name?.kind !== 'issuing') throw noRequest(source, `subject ${JSON.stringify(request.subject.slice(0, 120))}`);
  if (publicKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw noRequest(source, `a key ${describePublicKey(publicKey)}`);
  }
  if (!(await request.verify().catch(() => false))) throw noRequest(source, 'a signature that does not hold');
  const wish = request.getExtension(nameConstraintOid);
  const nameConstraint = wish === null ? undefined : decodeNameConstraint(new Uint8Array(wish.value));
  if (wish !== null && nameConstraint === undefined) throw noRequest(source, 'name constraints of an unknown kind');
  const { fleetId, number } = name;
  return { fleetId, number, publicKey, ...(nameConstraint === undefined ? {} : { nameConstraint }) };
}

function noRequest(source: string, seen: string, cause?: unknown): FlotillaError {
  return new FlotillaError('usage', 'pki-authority-request', `${source} asks for no issuing authority`, {
    seen,
    expected: 'what flotilla ca rotate --request-out has written: CN="<fleet> issuing authority <n>", EC P-256',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Signed by the root, 1970 to 9999. @throws FlotillaError when the request is of another fleet */
export async function signAuthorityCsr(root: Authority, request: AuthorityCsr): Promise<string> {
  if (request.fleetId !== root.fleetId) {
    throw new FlotillaError('refused', 'pki-other-fleet', 'the request is of another fleet than the root', {
      seen: request.fleetId,
      expected: root.fleetId,
    });
  }
  return signAuthorityCertificate({
    signer: { commonName: root.commonName, key: root.privateKey },
    commonName: issuingCommonName(request.fleetId, request.number),
    key: request.publicKey,
    pathLength: 0,
    ...(request.nameConstraint === undefined ? {} : { extensions: [constraintExtension(request.nameConstraint)] }),
  });
}

export interface ExpectedAuthority {
  rootPem: string;
  fleetId: string;
  number: number;
  /** The key that the certificate must be for. */
  publicKey: KeyObject;
}

/** A certificate for the request, in every point; the first that does not fit is told. Returns it as PEM, alone. */
export function checkAuthorityCertificate(pem: string, expected: ExpectedAuthority, source: string): string {
  const certificate = parseCertificate(pem, source);
  const parsed = new ParsedCertificate(certificate.raw);
  const root = new X509Certificate(expected.rootPem);
  const refuse = (what: string, seen: string, wanted: string): never => {
    throw new FlotillaError('refused', 'pki-authority-unfit', `${source} ${what}`, {
      seen,
      expected: wanted,
      suggestion: 'sign the request again: flotilla ca sign-issuing',
    });
  };
  if (!certificate.checkIssued(root) || !certificate.verify(root.publicKey)) {
    refuse('is not signed by the root of this fleet', certificate.issuer, root.subject);
  }
  const subject = `CN=${issuingCommonName(expected.fleetId, expected.number)}`;
  if (certificate.subject !== subject) refuse('has another name', certificate.subject, subject);
  if (!certificate.publicKey.equals(expected.publicKey)) {
    refuse('is for another key', describePublicKey(certificate.publicKey), 'the key of the last request');
  }
  const basic = parsed.getExtension(BasicConstraintsExtension);
  if (basic?.ca !== true || basic.pathLength !== 0 || !basic.critical) {
    refuse('may not sign, or may make authorities', `CA ${basic?.ca}, path length ${basic?.pathLength}`, 'CA true, 0');
  }
  // oxlint-disable-next-line no-bitwise
  const signs = ((parsed.getExtension(KeyUsagesExtension)?.usages ?? 0) & KeyUsageFlags.keyCertSign) !== 0;
  if (!signs) refuse('may not sign certificates', 'key usage without keyCertSign', 'keyCertSign, cRLSign');
  const [from, to] = [certificate.validFromDate.getTime(), certificate.validToDate.getTime()];
  if (from > alwaysNotBeforeMs || to < alwaysNotAfterMs) {
    const seen = `${certificate.validFrom} to ${certificate.validTo}`;
    refuse('ends, and devices whose clocks are wrong would be lost', seen, '1970 to 9999');
  }
  readNameConstraint(certificate.toString());
  return certificate.toString();
}
