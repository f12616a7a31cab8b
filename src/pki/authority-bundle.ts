/** A file of authorities (PEM, one after another) as the certificates in it. Needs node:crypto alone. */
import { X509Certificate, createHash } from 'node:crypto';

const certificatePattern = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;

/** In the order of the file. Throws for one that can't be read. */
export function splitCertificates(pem: string): X509Certificate[] {
  return (pem.match(certificatePattern) ?? []).map((text) => new X509Certificate(text));
}

export function authorityDer(pem: string): Buffer[] {
  return splitCertificates(pem).map(({ raw }) => raw);
}

/** SHA-256 over their DER, in the order of the file: tells whether two sides have the same ones. */
export function authorityDigest(pem: string): string {
  const hash = createHash('sha256');
  for (const der of authorityDer(pem)) hash.update(der);
  return hash.digest('hex');
}
