/** Why a certificate is not accepted: every reason, and which certificate of the chain it concerns. */

/** Each is stable: a script may rely on it. The order is the order in which RFC 5280, 6.1 asks. */
export const reasonCodes = [
  'malformed',
  'issuer-unknown',
  'root-untrusted',
  'chain-too-long',
  'signature-invalid',
  'signature-algorithm-mismatch',
  'signature-algorithm-unknown',
  'signature-weak',
  'key-weak',
  'key-unknown',
  'not-yet-valid',
  'expired',
  'revoked',
  'crl-missing',
  'crl-invalid',
  'crl-stale',
  'crl-not-yet-valid',
  'name-not-permitted',
  'name-excluded',
  'constraint-unsupported',
  'not-an-authority',
  'path-length-exceeded',
  'key-usage-no-cert-sign',
  'key-usage-no-crl-sign',
  'key-usage-no-signature',
  'key-usage-cert-sign',
  'purpose-not-allowed',
  'identity-missing',
  'extension-critical-unknown',
  'extension-duplicate',
  'extension-malformed',
  'version-wrong',
  'serial-invalid',
] as const;
export type ReasonCode = (typeof reasonCodes)[number];

export interface Reason {
  code: ReasonCode;
  /** Place in the chain: 0 is the certificate itself, 1 the one that signed it, and so on. */
  depth: number;
  subject: string;
  /** One sentence. */
  text: string;
}
