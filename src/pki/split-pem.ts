const certificatePattern = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;

/** What stands between the marks of certificates in a PEM text, each as a text of its own. */
export function splitPem(pem: string): string[] {
  return (pem.match(certificatePattern) ?? []).map((text) => `${text}\n`);
}
