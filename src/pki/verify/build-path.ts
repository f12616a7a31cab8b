/**
 * Paths from a certificate to an anchor. Several authorities may have one name (after a rotation): every path is
 * found whose names fit, those whose key identifiers fit first, and the number of looks is bounded.
 */
import type { CertificateContent } from '../x509/certificate.ts';
import { sameName } from '../x509/distinguished-name.ts';

export interface PathInput {
  /** Trusted; a path ends at the first of them that is self-signed, or with `partial` at any. */
  anchors: readonly CertificateContent[];
  /** Sent along; not trusted. */
  untrusted: readonly CertificateContent[];
  partial: boolean;
}

export interface Path {
  /** The certificate itself first. */
  certificates: CertificateContent[];
  /** Why it ends where it ends. */
  end: 'anchor' | 'issuer-unknown' | 'root-untrusted' | 'too-long';
}

/** Certificates in a path: the leaf, eight authorities, the root. */
export const maxPathLength = 10;
const maxPaths = 64;

/** At least one; complete ones first. */
export function buildPaths(leaf: CertificateContent, input: PathInput): Path[] {
  const paths: Path[] = [];
  extend([leaf], input, paths);
  return paths.toSorted((a, b) => Number(b.end === 'anchor') - Number(a.end === 'anchor'));
}

function extend(certificates: CertificateContent[], input: PathInput, paths: Path[]): void {
  const last = certificates.at(-1)!;
  const { anchors, untrusted, partial } = input;
  const selfIssued = sameName(last.issuer, last.subject);
  const trusted = anchors.some(({ fingerprintSha256Hex }) => fingerprintSha256Hex === last.fingerprintSha256Hex);
  if (trusted && (selfIssued || partial)) return void paths.push({ certificates, end: 'anchor' });
  const candidates = [...anchors, ...untrusted]
    .filter((one) => sameName(one.subject, last.issuer) && !certificates.some((used) => isSame(used, one)))
    .toSorted((a, b) => keyFit(b, last) - keyFit(a, last));
  if (candidates.length === 0) {
    return void paths.push({ certificates, end: selfIssued ? 'root-untrusted' : 'issuer-unknown' });
  }
  if (certificates.length >= maxPathLength) return void paths.push({ certificates, end: 'too-long' });
  for (const next of candidates) {
    if (paths.length >= maxPaths) return;
    extend([...certificates, next], input, paths);
  }
}

function isSame(a: CertificateContent, b: CertificateContent): boolean {
  return a.fingerprintSha256Hex === b.fingerprintSha256Hex;
}

/** 1 when the key identifiers agree, 0 when one has none, -1 when they differ. */
function keyFit(issuer: CertificateContent, one: CertificateContent): number {
  const wanted = one.known.authorityKeyIdentifier?.keyId;
  const has = issuer.known.subjectKeyIdentifier;
  if (wanted === undefined || has === undefined) return 0;
  return wanted === has ? 1 : -1;
}
