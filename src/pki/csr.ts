/** Certificate signing requests, read: the only thing of a device's key that ever leaves the device. */
import 'reflect-metadata';
import { type KeyObject, createPublicKey } from 'node:crypto';
import { Pkcs10CertificateRequest } from '@peculiar/x509';
import { FlotillaError } from '../error.ts';
import { describePublicKey, validatePublicKey } from './public-key.ts';

const maxCsrBytes = 16 * 1024;
const acceptedHashes: ReadonlySet<string> = new Set(['SHA-256', 'SHA-384', 'SHA-512']);
const csrPattern =
  /-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----([A-Za-z0-9+/=\s]+)-----END (?:NEW )?CERTIFICATE REQUEST-----/;

export interface ParsedCsr {
  publicKey: KeyObject;
  /** `EC P-256`, `RSA 2048`, … */
  keyKind: string;
  /** The one CN of the subject, when there is exactly one. A wish of the requester, not a fact. */
  commonName: string | undefined;
  /** The one serialNumber of the subject: what the requester says of its hardware. */
  hardwareSerial: string | undefined;
}

/**
 * Reads a PEM request of at most 16 KiB and proves that the requester holds the key: its signature over itself must
 * hold, with SHA-256 or better, and the key must be strong. Extensions that it asks for are not looked at.
 */
export async function parseCsr(pem: string | Uint8Array): Promise<ParsedCsr> {
  if (pem.length > maxCsrBytes) throw malformed(`${pem.length} bytes`, `at most ${maxCsrBytes} bytes`);
  const text = typeof pem === 'string' ? pem : Buffer.from(pem).toString('latin1');
  const body = csrPattern.exec(text)?.[1];
  if (body === undefined) throw malformed(undefined, 'a PEM text that starts with -----BEGIN CERTIFICATE REQUEST-----');
  const { request, publicKey, ...names } = decode(Buffer.from(body, 'base64'));
  validatePublicKey(publicKey);
  await verifySelfSignature(request);
  return { publicKey, keyKind: describePublicKey(publicKey), ...names };
}

function decode(der: Buffer): { request: Pkcs10CertificateRequest } & Omit<ParsedCsr, 'keyKind'> {
  try {
    const request = new Pkcs10CertificateRequest(der);
    const publicKey = createPublicKey({ key: Buffer.from(request.publicKey.rawData), type: 'spki', format: 'der' });
    const only = (field: string): string | undefined => {
      const values = request.subjectName.getField(field);
      return values.length === 1 ? values[0] : undefined;
    };
    return { request, publicKey, commonName: only('CN'), hardwareSerial: only('2.5.4.5') };
  } catch (error) {
    throw malformed('a body that does not decode', 'a PKCS#10 request', error);
  }
}

async function verifySelfSignature(request: Pkcs10CertificateRequest): Promise<void> {
  let held = false;
  let cause: unknown;
  const hash = hashOf(request);
  try {
    held = acceptedHashes.has(hash) && (await request.verify());
  } catch (error) {
    cause = error;
  }
  if (held) return;
  throw new FlotillaError(
    'refused',
    'pki-csr-signature',
    'the signing request does not prove that its sender holds the key',
    {
      seen: acceptedHashes.has(hash) ? 'a signature that does not hold' : `a signature with ${hash}`,
      expected: 'the signature of the request by its own key, with SHA-256 or better',
      cause,
    },
  );
}

function hashOf(request: Pkcs10CertificateRequest): string {
  try {
    return request.signatureAlgorithm.hash?.name ?? 'an unknown hash';
  } catch {
    return 'an unknown hash';
  }
}

function malformed(seen: string | undefined, expected: string, cause?: unknown): FlotillaError {
  return new FlotillaError('usage', 'pki-csr-malformed', 'this is no certificate signing request', {
    ...(seen === undefined ? {} : { seen }),
    expected,
    ...(cause === undefined ? {} : { cause }),
  });
}
