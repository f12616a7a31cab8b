/**
 * May a device whose certificate has ended have another one? What the recovery port has verified (who signed it, whom
 * it names, that the peer holds its key) is taken as given; this is what the registry says. Pure; the first rule that
 * does not hold is the answer, in words for the coordinator's log. The peer is told nothing of it.
 */
import type { CertificateRow, DeviceRow } from '../../store/row.ts';
import type { PeerIdentity } from '../gateway/port.ts';

export interface RecoveryQuestion {
  fleetId: string;
  identity: PeerIdentity;
  device: DeviceRow | undefined;
  /** The record of `identity.serialHex`. */
  certificate: CertificateRow | undefined;
}

export interface RecoveryRefusal {
  reason:
    | 'other-fleet'
    | 'not-on-record'
    | 'other-certificate'
    | 'other-device'
    | 'revoked'
    | 'replaced'
    | 'unknown-device'
    | 'not-accepted';
  detail: string;
}

export function judgeRecovery({
  fleetId,
  identity,
  device,
  certificate,
}: RecoveryQuestion): RecoveryRefusal | undefined {
  const { deviceId, serialHex } = identity;
  if (identity.fleetId !== fleetId) return { reason: 'other-fleet', detail: identity.fleetId };
  if (certificate === undefined) return { reason: 'not-on-record', detail: serialHex };
  // The very bytes that are on record: whatever else somebody signs under that number is not it.
  if (certificate.fingerprintSha256 !== identity.fingerprintSha256Hex) {
    return { reason: 'other-certificate', detail: `${serialHex} is on record with another fingerprint` };
  }
  if (certificate.issuer !== identity.authority) {
    return { reason: 'other-certificate', detail: `${serialHex} is on record as signed by ${certificate.issuer}` };
  }
  if (certificate.deviceId !== deviceId) return { reason: 'other-device', detail: `of ${certificate.deviceId}` };
  if (certificate.revokedAtMs !== undefined) {
    return { reason: 'revoked', detail: certificate.revocationReason ?? 'no reason given' };
  }
  if (certificate.replacedBy !== undefined) return { reason: 'replaced', detail: `by ${certificate.replacedBy}` };
  if (device === undefined) return { reason: 'unknown-device', detail: deviceId };
  if (device.state !== 'accepted') return { reason: 'not-accepted', detail: `the device is ${device.state}` };
  return undefined;
}
