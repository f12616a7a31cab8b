/** What a certificate is verified for: which extended key usage it needs, and whom it must name. */
import { X509Certificate } from 'node:crypto';
import { readDeviceIdentity, readOperatorIdentity } from '../peer-identity.ts';
import { ExtendedKeyUsage } from '../profile.ts';
import type { CertificateContent } from '../x509/certificate.ts';

export const purposes = ['device', 'coordinator', 'operator'] as const;
export type Purpose = (typeof purposes)[number];

export const purposeUsage: Readonly<Record<Purpose, string>> = {
  device: ExtendedKeyUsage.clientAuth,
  coordinator: ExtendedKeyUsage.serverAuth,
  operator: ExtendedKeyUsage.clientAuth,
};

const serverNamePattern = /^coordinator\.[a-z0-9-]{1,32}\.flotilla$/;

/** Undefined when it names one; otherwise what it has instead. The same code that judges a connection. */
export function identityProblem({ der, known }: CertificateContent, purpose: Purpose): string | undefined {
  // OpenSSL's own answer is no for an authority without keyCertSign.
  if (known.basicConstraints?.ca === true) return 'a certificate of an authority';
  if (purpose === 'coordinator') {
    const names = (known.subjectAltName ?? []).filter(({ type }) => type === 'dns').map(({ value }) => value);
    if (names.some((name) => serverNamePattern.test(name))) return undefined;
    return `DNS names ${names.join(', ') || 'none'}, where coordinator.<fleet>.flotilla must be among them`;
  }
  try {
    const certificate = new X509Certificate(der);
    const identity = purpose === 'device' ? readDeviceIdentity(certificate) : readOperatorIdentity(certificate);
    return typeof identity === 'string' ? identity : undefined;
  } catch {
    return 'a certificate that OpenSSL does not read';
  }
}
