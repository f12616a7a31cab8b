/** Certificate signing requests, read: the only thing of a device's key that ever leaves the device. */
import type { KeyObject } from 'node:crypto';
import { FlotillaError } from '../error.ts';
import { DerTag } from './der/read-der.ts';
import { readPemBlocks } from './inspect/pem.ts';
import { describePublicKey, validatePublicKey } from './public-key.ts';
import { verifySignature } from './x509/algorithm.ts';
import { attributesOf, commonNameId, serialNumberId } from './x509/distinguished-name.ts';
import { type RequestContent, decodeRequest } from './x509/request.ts';

const maxCsrBytes = 16 * 1024;
const acceptedHashes: ReadonlySet<string> = new Set(['SHA-256', 'SHA-384', 'SHA-512']);
const csrLabels: ReadonlySet<string> = new Set(['CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST']);

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
 * Reads a request of at most 16 KiB, PEM or DER, and proves that the requester holds the key: its signature over itself
 * must hold, with SHA-256 or better, and the key must be strong. Extensions that it asks for are not looked at.
 */
export function parseCsr(csr: string | Uint8Array): Promise<ParsedCsr> {
  return new Promise((resolve) => resolve(readCsr(csr)));
}

/** The PEM text, for the API, of a request that is PEM or DER. */
export function readCsrPem(csr: Uint8Array): string {
  const text = Buffer.from(csr).toString('latin1');
  if (csr[0] !== DerTag.sequence) return text;
  const body = Buffer.from(csr).toString('base64');
  return `-----BEGIN CERTIFICATE REQUEST-----\n${body}\n-----END CERTIFICATE REQUEST-----\n`;
}

function readCsr(csr: string | Uint8Array): ParsedCsr {
  if (csr.length > maxCsrBytes) throw malformed(`${csr.length} bytes`, `at most ${maxCsrBytes} bytes`);
  const { publicKey, subject, signatureAlgorithm, signed, signature } = decode(csr);
  if (publicKey === undefined) throw malformed('a public key of no known kind', 'an EC or RSA key');
  validatePublicKey(publicKey);
  const { hash, name } = signatureAlgorithm;
  const accepted = hash !== undefined && acceptedHashes.has(hash);
  if (!accepted || !verifySignature(signatureAlgorithm, publicKey, signed, signature)) {
    throw new FlotillaError(
      'refused',
      'pki-csr-signature',
      'the signing request does not prove that its sender holds the key',
      {
        seen: accepted ? 'a signature that does not hold' : `a signature with ${hash ?? name}`,
        expected: 'the signature of the request by its own key, with SHA-256 or better',
      },
    );
  }
  const only = (oid: string): string | undefined => {
    const values = attributesOf(subject, oid);
    return values.length === 1 ? values[0] : undefined;
  };
  const keyKind = describePublicKey(publicKey);
  return { publicKey, keyKind, commonName: only(commonNameId), hardwareSerial: only(serialNumberId) };
}

function decode(csr: string | Uint8Array): RequestContent {
  try {
    return decodeRequest(csrDer(csr));
  } catch (cause) {
    if (!(cause instanceof FlotillaError) || cause.code === 'pki-csr-malformed') throw cause;
    throw malformed(`${cause.message}: ${cause.detail.seen ?? ''}`, 'a PKCS#10 request', cause);
  }
}

function csrDer(csr: string | Uint8Array): Uint8Array {
  if (typeof csr !== 'string' && csr[0] === DerTag.sequence) return csr;
  const text = typeof csr === 'string' ? csr : Buffer.from(csr).toString('latin1');
  const found = readPemBlocks(text, 'the signing request').find(({ label }) => csrLabels.has(label));
  if (found !== undefined) return found.der;
  throw malformed(undefined, 'a PEM text that starts with -----BEGIN CERTIFICATE REQUEST-----, or DER');
}

function malformed(seen: string | undefined, expected: string, cause?: unknown): FlotillaError {
  return new FlotillaError('usage', 'pki-csr-malformed', 'this is no certificate signing request', {
    ...(seen === undefined ? {} : { seen }),
    expected,
    ...(cause === undefined ? {} : { cause }),
  });
}
