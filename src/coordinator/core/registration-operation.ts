/** Devices that come with a certificate of a registered authority: the profile of that one says what becomes of them. */
import type { AuthorityRow, CertificateFactsRow } from '../../store/row.ts';
import type { Connect, PeerIdentity } from '../gateway/port.ts';
import { judgeAuthority, judgeCertificate, judgeNamespace, type KnownCertificate } from '../identity/judge-connect.ts';
import { newDevice } from '../registry/reduce-device.ts';
import { firstAuthorityId } from '../../store/row.ts';
import type { CoreState } from './core-state.ts';
import { changeDevice, putCertificate, putDevice, shownCertificate } from './device-operation.ts';
import { appendOwnEvent } from './event-operation.ts';
import type { Turn } from './turn.ts';

/** A certificate that a connection has shown, as a row keeps it. */
export function factsOf(identity: PeerIdentity): CertificateFactsRow {
  return {
    serial: identity.serialHex,
    fingerprintSha256: identity.fingerprintSha256Hex,
    notBeforeMs: identity.notBeforeMs,
    notAfterMs: identity.notAfterMs,
    issuer: identity.authority,
    ...(identity.subject === undefined ? {} : { subject: identity.subject }),
  };
}

/** Of every certificate of the device that is on record, and of the one that it has only shown. */
export function knownCertificates(state: CoreState, deviceId: string): KnownCertificate[] {
  const onRecord = (state.serials.get(deviceId) ?? []).map((serial) => state.certificates.get(serial)!);
  const candidate = state.devices.get(deviceId)?.candidate;
  return candidate === undefined
    ? onRecord
    : [...onRecord, { ...candidate, issuer: candidate.issuer ?? firstAuthorityId }];
}

/**
 * Before its connect is judged: a new device gets the place that the profile gives it, and a new certificate of a known
 * one takes the place of the one before where the profile says so. Whatever is wrong is left to the judge.
 */
export function welcomeRegistered(turn: Turn, connect: Connect, authority: AuthorityRow): void {
  const { state, nowMs } = turn;
  const { identity, address } = connect;
  const { deviceId, serialHex } = identity;
  const { registration } = authority;
  const device = state.devices.get(deviceId);
  const certificate = state.certificates.get(serialHex);
  const known = knownCertificates(state, deviceId);
  // A registered authority's certificates are not replaced here: no overlap.
  const question = { fleetId: state.fleetId, identity, authority, known, device, certificate, overlapMs: 0, nowMs };
  const blocked = [
    judgeAuthority(authority, authority.id),
    judgeCertificate(certificate, identity, nowMs),
    judgeNamespace(question),
  ].some(({ verdict }) => verdict === 'blocks');
  if (registration === undefined || blocked) return;
  const facts = { ...factsOf(identity) };
  if (device === undefined) {
    // One that was here before and was removed waits for an operator, whatever the profile says.
    const arrival = known.length === 0 ? registration.arrival : 'pending';
    putDevice(turn, { ...newDevice(deviceId, arrival, nowMs), address, tags: { ...registration.tags } });
    if (arrival === 'accepted') putCertificate(turn, shownCertificate(turn, deviceId, facts));
    else changeDevice(turn, deviceId, { kind: 'candidate', certificate: facts });
    const type = arrival === 'accepted' ? 'coordinator.registered' : 'coordinator.pending';
    const payload = { address, reason: `a certificate of ${authority.id}`, authority: authority.id, arrival };
    appendOwnEvent(turn, { deviceId, type, key: '', payload });
    return;
  }
  const renews =
    registration.renewable && certificate === undefined && known.every(({ revokedAtMs }) => revokedAtMs === undefined);
  if (device.state !== 'accepted' || !renews) return;
  putCertificate(turn, shownCertificate(turn, deviceId, facts));
  const payload = { serial: serialHex, notAfterMs: identity.notAfterMs, authority: authority.id };
  appendOwnEvent(turn, { deviceId, type: 'coordinator.certificate-shown', key: serialHex, payload });
}
