import type { OperatorRole } from '../role.ts';

/** One thing that proves an operator: a certificate, or a token. */
export interface CredentialRow {
  /** Serial number in lower-case hex, or the token's id. */
  id: string;
  kind: 'certificate' | 'token';
  /** SHA-256 in hex: of the whole certificate, or of the token's secret. */
  proofSha256: string;
  /** Of a certificate: id of the authority that signed it; absent: the first one. */
  issuer?: string;
  issuedAtMs: number;
  issuedBy: string;
  notBeforeMs: number;
  notAfterMs: number;
  usesLeft?: number;
  revokedAtMs?: number;
  revokedBy?: string;
  revocationReason?: string;
}

export interface OperatorRow {
  name: string;
  role: OperatorRole;
  createdAtMs: number;
  createdBy: string;
  revokedAtMs?: number;
  /** In order of issue. */
  credentials: readonly CredentialRow[];
}
