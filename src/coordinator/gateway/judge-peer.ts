import type { X509Certificate } from 'node:crypto';
import { FlotillaError } from '../../error.ts';
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
  reason: 'no-device-identity' | 'unknown-authority' | 'other-fleet' | 'revoked' | 'expired-certificate';
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
    const seen = error instanceof FlotillaError && error.detail.seen !== undefined ? ` (${error.detail.seen})` : '';
    const detail = error instanceof Error ? { detail: `${error.message}${seen}` } : {};
    // Its chain ends at our root, or did when it got its ticket: it is told, and may ask for a new certificate.
    if (error instanceof FlotillaError && error.code === 'pki-authority-unknown') {
      return { refusal: { reason: 'unknown-authority', ...detail, code: 'expired' } };
    }
    return { refusal: { reason: 'no-device-identity', ...detail } };
  }
  const { deviceId: device, serialHex } = identity;
  if (identity.fleetId !== fleetId) return { refusal: { reason: 'other-fleet', device, detail: identity.fleetId } };
  if (revoked.has(serialHex)) return { refusal: { reason: 'revoked', device, detail: serialHex, code: 'revoked' } };
  if (nowMs > identity.notAfterMs) return { refusal: { reason: 'expired-certificate', device, code: 'expired' } };
  return { identity };
}
