/** Certificates that are read: from PEM or DER into node's X509Certificate, and into plain fields for people. */
import { X509Certificate } from 'node:crypto';
import { FlotillaError } from '../error.ts';
import { ExtendedKeyUsage, parseAuthorityName } from './profile.ts';
import { readDeviceIdentity, readOperatorIdentity } from './peer-identity.ts';
import { describePublicKey } from './public-key.ts';

export const maxCertificateBytes = 64 * 1024;

/** Reads the first certificate of a PEM text, or one DER certificate (at most 64 KiB); `source` names it in errors. */
export function parseCertificate(bytes: string | Uint8Array, source = 'the certificate'): X509Certificate {
  if (bytes.length > maxCertificateBytes) {
    throw new FlotillaError('usage', 'pki-certificate-too-large', `${source} is too large for a certificate`, {
      seen: `${bytes.length} bytes`,
      expected: `at most ${maxCertificateBytes} bytes`,
    });
  }
  try {
    return new X509Certificate(bytes);
  } catch (error) {
    throw new FlotillaError('usage', 'pki-certificate-malformed', `${source} is no certificate that can be read`, {
      expected: 'a PEM text that starts with -----BEGIN CERTIFICATE-----, or DER',
      cause: error,
    });
  }
}

export interface CertificateDescription {
  kind: 'root' | 'issuing' | 'coordinator' | 'device' | 'operator' | 'other';
  subject: string;
  issuer: string;
  /** Lower-case hex of the serial number. */
  serialHex: string;
  fingerprintSha256Hex: string;
  /** ISO 8601, UTC. */
  notBefore: string;
  notAfter: string;
  /** `EC P-256`, `RSA 2048`, … */
  publicKey: string;
  /** `URI:…`, `DNS:…`, `IP Address:…` */
  subjectAltNames: string[];
  extendedKeyUsage: string[];
  fleetId?: string;
  deviceId?: string;
  operator?: { name: string; role: string };
}

/** Plain fields of a certificate, for `cert show`. Says what stands in it; judges nothing. */
export function describeCertificate(certificate: string | Uint8Array | X509Certificate): CertificateDescription {
  const parsed = certificate instanceof X509Certificate ? certificate : parseCertificate(certificate);
  return {
    subject: parsed.subject?.replaceAll('\n', ', ') ?? '',
    issuer: parsed.issuer?.replaceAll('\n', ', ') ?? '',
    serialHex: parsed.serialNumber.toLowerCase(),
    fingerprintSha256Hex: parsed.fingerprint256.replaceAll(':', '').toLowerCase(),
    notBefore: parsed.validFromDate.toISOString(),
    notAfter: parsed.validToDate.toISOString(),
    publicKey: describePublicKey(parsed.publicKey),
    subjectAltNames: parsed.subjectAltName?.split(', ') ?? [],
    extendedKeyUsage: (parsed.keyUsage ?? []).map(nameKeyUsage),
    ...classify(parsed),
  };
}

type Classification = Pick<CertificateDescription, 'kind' | 'fleetId' | 'deviceId' | 'operator'>;

const coordinatorPattern = /^CN=coordinator\.([a-z0-9-]+)\.flotilla$/;

function classify(parsed: X509Certificate): Classification {
  if (parsed.ca) {
    const name = parseAuthorityName(parsed.subject);
    return name === undefined ? { kind: 'other' } : { kind: name.kind, fleetId: name.fleetId };
  }
  const device = readDeviceIdentity(parsed);
  if (typeof device !== 'string') return { kind: 'device', fleetId: device.fleetId, deviceId: device.deviceId };
  const operator = readOperatorIdentity(parsed);
  if (typeof operator !== 'string') {
    return { kind: 'operator', fleetId: operator.fleetId, operator: { name: operator.name, role: operator.role } };
  }
  const fleetId = coordinatorPattern.exec(parsed.subject)?.[1];
  if (fleetId && parsed.keyUsage?.includes(ExtendedKeyUsage.serverAuth)) return { kind: 'coordinator', fleetId };
  return { kind: 'other' };
}

function nameKeyUsage(oid: string): string {
  const found = Object.entries(ExtendedKeyUsage).find(([, value]) => value === oid);
  return found?.[0] ?? oid;
}
