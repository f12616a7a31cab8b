/**
 * Who is at the other end of a connection to the recovery port. OpenSSL was not allowed to refuse it, so everything
 * that OpenSSL judges is judged here again, by the keys of the authorities themselves, and nothing in a certificate is
 * believed before the signature over it holds. The one thing waived is the end of its life.
 */
import type { X509Certificate } from 'node:crypto';
import { readDeviceIdentity } from '../../pki/peer-identity.ts';
import type { PeerIdentity } from '../gateway/port.ts';

export interface RecoveryAuthority {
  id: string;
  /** Of an issuing authority of this fleet. */
  certificate: X509Certificate;
  /** Its certificates have ended with it, whatever stands in them. */
  retiredAtMs?: number;
}

export interface RecoveryTrust {
  fleetId: string;
  /** Self-signed. */
  roots: readonly X509Certificate[];
  issuing: readonly RecoveryAuthority[];
  /** How long after its end a certificate is still worth another one. */
  maxExpiredMs: number;
}

export type VerifiedPeer =
  | { kind: 'expired'; identity: PeerIdentity }
  | { kind: 'not-expired'; reason: string }
  | { kind: 'refused'; reason: string; detail: string };

/** What OpenSSL says of a certificate that is good but for its end. */
const expiredVerdict = 'CERT_HAS_EXPIRED';

/** @param verdict OpenSSL's, null when it found nothing: held against ours at the end, for what only it looks at */
export function verifyPeer(
  certificate: X509Certificate,
  verdict: string | null,
  { fleetId, roots, issuing, maxExpiredMs }: RecoveryTrust,
  nowMs: number,
): VerifiedPeer {
  const signer = issuing.find((one) => isSignedBy(certificate, one.certificate));
  if (signer === undefined) return refused('unknown-authority', certificate.issuer);
  const isRooted = roots.some((root) => root.ca && isSignedBy(root, root) && isSignedBy(signer.certificate, root));
  if (!isRooted || !signer.certificate.ca) {
    return refused('broken-chain', signer.certificate.subject);
  }
  const identity = readDeviceIdentity(certificate);
  if (typeof identity === 'string') return refused('no-device-identity', identity);
  if (identity.fleetId !== fleetId) return refused('other-fleet', identity.fleetId);
  if (identity.notBeforeMs > nowMs) return refused('not-yet-valid', certificate.validFrom);
  const endMs = Math.min(identity.notAfterMs, signer.retiredAtMs ?? Infinity);
  if (endMs > nowMs) return { kind: 'not-expired', reason: `valid until ${certificate.validTo}` };
  if (endMs + maxExpiredMs <= nowMs) return refused('expired-too-long', `ended on ${new Date(endMs).toISOString()}`);
  // Of a certificate that has not expired itself (its authority is retired) OpenSSL has nothing to say.
  const expected = identity.notAfterMs <= nowMs ? expiredVerdict : null;
  if (verdict !== expected) return refused('openssl', verdict ?? 'it has not expired by its own clock');
  return { kind: 'expired', identity: { ...identity, authority: signer.id } };
}

/** The name as well as the signature: `verify` looks at the key alone. */
function isSignedBy(certificate: X509Certificate, authority: X509Certificate): boolean {
  return certificate.checkIssued(authority) && certificate.verify(authority.publicKey);
}

function refused(reason: string, detail: string): VerifiedPeer {
  return { kind: 'refused', reason, detail: detail.replaceAll('\n', ', ').slice(0, 200) };
}
