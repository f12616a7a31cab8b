import { X509Certificate } from 'node:crypto';

/**
 * Left to itself OpenSSL sends every certificate of its own trust store that its leaf chains to, at 450 bytes each and
 * the root too. A chain that is given in full is sent as it is; a store that can't complete one sends the leaf alone.
 * So a coordinator sends leaf and issuing certificate, trusting both issuing and root; a device trusts the root alone
 * and sends its leaf.
 */
export function withIssuer(certificatePem: string, authorityPem: string): string {
  const chain = splitPem(certificatePem);
  const [leaf] = chain;
  if (leaf === undefined || chain.length > 1) return certificatePem;
  const subject = new X509Certificate(leaf);
  const issuer = splitPem(authorityPem).find((pem) => {
    const authority = new X509Certificate(pem);
    return !isRoot(authority) && subject.checkIssued(authority);
  });
  return issuer === undefined ? certificatePem : `${leaf}${issuer}`;
}

/** The self-signed ones of several; all of them when there is none. */
export function rootsOf(authorityPem: string): string {
  const roots = splitPem(authorityPem).filter((pem) => isRoot(new X509Certificate(pem)));
  return roots.length > 0 ? roots.join('') : authorityPem;
}

/** The self-signed ones of a bundle: what everything has to chain to. */
export function rootCertificates(authorityPem: string): X509Certificate[] {
  return splitPem(authorityPem)
    .map((pem) => new X509Certificate(pem))
    .filter(isRoot);
}

function isRoot(certificate: X509Certificate): boolean {
  return certificate.checkIssued(certificate);
}

function splitPem(pems: string): string[] {
  const matches = pems.match(/-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g) ?? [];
  return matches.map((pem) => `${pem}\n`);
}
