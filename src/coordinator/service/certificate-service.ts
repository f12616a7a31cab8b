import { X509Certificate } from 'node:crypto';
import type { Certificate, RevokeRequest, Revoked, Signed, SignRequest } from '../../client/contract/certificate.ts';
import { FlotillaError } from '../../error.ts';
import { issueDeviceCertificate, parseCsr, parseDeviceIdentity, validateDeviceId } from '../../pki/index.ts';
import type { CertificateRow } from '../../store/index.ts';
import { revokedSerials } from '../core/core.ts';
import { changeDevice, cutConnection, putCertificate, putDevice, shownCertificate } from '../core/device-operation.ts';
import { appendOwnEvent } from '../core/event-operation.ts';
import { endRenewal } from '../core/renewal-operation.ts';
import type { Turn } from '../core/turn.ts';
import { newDevice } from '../registry/reduce-device.ts';
import { audit, type ServiceContext } from './context.ts';
import { fitToProfile } from './fit-profile.ts';

/** In order of issue. */
export function listCertificates({ core }: ServiceContext, device: string | undefined): Promise<Certificate[]> {
  return core.submit(({ state }) =>
    [...state.certificates.values()]
      .filter(({ deviceId }) => device === undefined || deviceId === device)
      .toSorted((a, b) => a.issuedAtMs - b.issuedAtMs || (a.serial < b.serial ? -1 : 1)),
  );
}

export function showCertificate({ core }: ServiceContext, serial: string): Promise<Certificate> {
  return core.submit(({ state }) => {
    const certificate = state.certificates.get(serial.toLowerCase());
    if (certificate === undefined) throw unknownCertificate(serial);
    return certificate;
  });
}

/** Signs a request whose key the device holds. The name in it is only a wish: an id that was asked for must agree. */
export async function signCertificate(context: ServiceContext, request: SignRequest): Promise<Signed> {
  const { fleetId, issuing, clock } = context;
  const { publicKey, commonName } = await parseCsr(request.csr);
  const deviceId = request.deviceId ?? commonName;
  if (deviceId === undefined || (commonName !== undefined && commonName !== deviceId)) {
    throw new FlotillaError('usage', 'certificate-name-mismatch', 'the request is not for this device', {
      seen: commonName === undefined ? 'a request without one CN' : `CN=${commonName}`,
      expected: deviceId === undefined ? 'one CN in its subject, or --device ID' : `CN=${deviceId}`,
    });
  }
  validateDeviceId(deviceId);
  const { days, names } = request;
  const fitted = await fitToProfile(context, { deviceId, publicKey, days, names }, request.profile);
  const pem = await issueDeviceCertificate(issuing, {
    fleetId,
    deviceId,
    publicKey,
    nowMs: clock.nowMs(),
    ...fitted,
  });
  const identity = parseDeviceIdentity(new X509Certificate(pem));
  return context.core.submit((turn) => {
    requireSignable(turn, deviceId);
    const certificate: CertificateRow = {
      serial: identity.serialHex,
      issuer: issuing.id,
      ...(request.profile === undefined ? {} : { profile: request.profile }),
      deviceId,
      fingerprintSha256: identity.fingerprintSha256Hex,
      notBeforeMs: identity.notBeforeMs,
      notAfterMs: identity.notAfterMs,
      issuedAtMs: turn.nowMs,
      pem,
    };
    const state = request.pending === true ? 'pending' : 'accepted';
    if (turn.state.devices.has(deviceId)) changeDevice(turn, deviceId, { kind: 'certify', state });
    else putDevice(turn, newDevice(deviceId, state, turn.nowMs));
    putCertificate(turn, certificate);
    const payload = { serial: certificate.serial, notAfterMs: certificate.notAfterMs, by: context.actor };
    appendOwnEvent(turn, { deviceId, type: 'coordinator.certificate-issued', key: certificate.serial, payload });
    audit(turn, context, 'certificate.sign', deviceId, payload);
    return { certificate, authority: issuing.bundlePem, fleetId };
  });
}

/** An operator said no to this device: a new certificate must not quietly say yes. */
function requireSignable(turn: Turn, deviceId: string): void {
  const state = turn.state.devices.get(deviceId)?.state;
  if (state !== 'rejected' && state !== 'quarantined') return;
  throw new FlotillaError('refused', 'certificate-device-state', `device ${deviceId} is ${state}`, {
    seen: state,
    expected: 'a device that nobody shut out',
    suggestion: `flotilla device accept ${deviceId}, then sign again`,
  });
}

/** By serial number, or every certificate of a device: then the device itself is revoked too. */
export function revokeCertificates(context: ServiceContext, request: RevokeRequest): Promise<Revoked> {
  return context.core.submit((turn) => revokeWithin(turn, context, request));
}

export function revokeWithin(turn: Turn, context: ServiceContext, { subject, reason }: RevokeRequest): Revoked {
  const { state } = turn;
  const bySerial = state.certificates.get(subject.toLowerCase());
  const deviceId = bySerial?.deviceId ?? subject;
  const found = bySerial === undefined ? certificatesOf(turn, subject) : [bySerial];
  if (found.length === 0 && !state.devices.has(subject)) throw unknownCertificate(subject);
  const revoked = found
    .filter(({ revokedAtMs }) => revokedAtMs === undefined)
    .map((certificate) => ({ ...certificate, revokedAtMs: turn.nowMs, revocationReason: reason }));
  for (const certificate of revoked) putCertificate(turn, certificate);
  if (bySerial === undefined) {
    changeDevice(turn, deviceId, { kind: 'revoke' });
    endRenewal(turn, deviceId);
  }
  // In this order: no handshake completes with it any more, then the live connection ends.
  turn.afterCommit((gateway) => gateway.setRevoked(revokedSerials(state)));
  const live = state.live.get(deviceId);
  const cut = live !== undefined && (bySerial === undefined || live.serial === bySerial.serial);
  if (cut) cutConnection(turn, deviceId, 'revoked');
  const serials = revoked.map(({ serial }) => serial);
  const payload = { serials, reason, by: context.actor };
  appendOwnEvent(turn, { deviceId, type: 'coordinator.certificate-revoked', key: '', payload });
  audit(turn, context, 'certificate.revoke', subject, payload, [deviceId]);
  return { revoked, cutConnections: cut ? 1 : 0 };
}

/** Those on record, and one that the device has only shown. */
function certificatesOf(turn: Turn, deviceId: string): CertificateRow[] {
  const { serials, certificates, devices } = turn.state;
  const known = (serials.get(deviceId) ?? []).map((serial) => certificates.get(serial)!);
  const candidate = devices.get(deviceId)?.candidate;
  if (candidate === undefined) return known;
  return [...known, shownCertificate(turn, deviceId, candidate)];
}

function unknownCertificate(subject: string): FlotillaError {
  return new FlotillaError('usage', 'certificate-unknown', 'there is no such certificate or device', {
    seen: subject,
    expected: 'a serial number in hex, or a device id',
    suggestion: 'flotilla cert list',
  });
}
