import type { X509Certificate } from 'node:crypto';
import type { CloseCode } from '../../protocol/message.ts';
import type { PeerIdentity } from './port.ts';

/** What a gateway knows of a certificate whose chain TLS has verified, perhaps in an earlier session. */
export interface PeerFacts {
  parseIdentity(certificate: X509Certificate): PeerIdentity;
  fleetId: string;
  revoked: ReadonlySet<string>;
  nowMs: number;
}

/** For the log; a device is told a code, a stranger nothing. */
export interface PeerRefusal {
  reason: 'no-device-identity' | 'other-fleet' | 'revoked' | 'expired-certificate';
  device?: string;
  detail?: string;
  code?: CloseCode;
}

/** Asked at every connection: a resumed handshake has not looked at the certificate again. */
export function judgePeer(
  certificate: X509Certificate,
  { parseIdentity, fleetId, revoked, nowMs }: PeerFacts,
): { identity: PeerIdentity } | { refusal: PeerRefusal } {
  let identity: PeerIdentity;
  try {
    identity = parseIdentity(certificate);
  } catch (error) {
    const detail = error instanceof Error ? { detail: error.message } : {};
    return { refusal: { reason: 'no-device-identity', ...detail } };
  }
  const { deviceId: device, serialHex } = identity;
  if (identity.fleetId !== fleetId) return { refusal: { reason: 'other-fleet', device, detail: identity.fleetId } };
  if (revoked.has(serialHex)) return { refusal: { reason: 'revoked', device, detail: serialHex, code: 'revoked' } };
  if (nowMs > identity.notAfterMs) return { refusal: { reason: 'expired-certificate', device, code: 'expired' } };
  return { identity };
}
