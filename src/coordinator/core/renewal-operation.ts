/** New certificates for devices: wanted, asked for, signed, and proven once the device comes in with them. */
import type { CertificateEvent, CertificateRequestEvent } from '../../protocol/event.ts';
import type { CertificateInstall } from '../../protocol/request.ts';
import type { CertificateRow, RenewalCause, RenewalRow } from '../../store/row.ts';
import { isInFlight, mayAsk, reduceRenewal, type RenewalInput, type RenewalPolicy } from '../renewal/reduce-renewal.ts';
import { isAnnounced } from '../request/outbox.ts';
import type { StepReport } from '../rollout/step-report.ts';
import { devicesByAuthority } from './authority-operation.ts';
import { isServed, type CoreState } from './core-state.ts';
import { cutConnection, putCertificate } from './device-operation.ts';
import { appendOwnEvent } from './event-operation.ts';
import { stepRollout } from './rollout-operation.ts';
import type { Turn } from './turn.ts';

/** A question waits in the outbox as long as a job does; a device that comes later is asked anew. */
const askExpiresMs = 86_400_000;
/** The device knows its key under this id for as long as it waits. */
const installExpiresMs = 30 * 86_400_000;

export function moveRenewal(turn: Turn, deviceId: string, input: RenewalInput): RenewalRow {
  const before = turn.state.renewals.get(deviceId);
  const renewal = reduceRenewal(before, deviceId, input, turn.nowMs);
  if (renewal === before) return renewal;
  turn.set(turn.state.renewals, deviceId, renewal);
  turn.write({ kind: 'renewal', renewal });
  turn.notify({ kind: 'renewal', deviceId, state: renewal.state });
  turn.notify({ kind: 'device', id: deviceId });
  tellRollouts(turn, renewal);
  return renewal;
}

/** Rollouts whose action it is; that it is done shows in the device's next session. */
function tellRollouts(turn: Turn, { deviceId, state, reason }: RenewalRow): void {
  if (state !== 'requested' && state !== 'failed') return;
  const report: StepReport =
    state === 'requested'
      ? { state: 'running' }
      : { state: 'failed', reason: { code: 'renewal-failed', message: reason ?? 'no reason is given' }, again: true };
  for (const [id, { document }] of turn.state.rollouts)
    if (document.action?.kind === 'certificate') stepRollout(turn, id, { kind: 'step', deviceId, report });
}

/** Takes it back, unless the device may have begun. True when it did. */
export function dropRenewal(turn: Turn, deviceId: string): boolean {
  const { renewals, outboxes } = turn.state;
  const state = renewals.get(deviceId)?.state;
  const unsent = (outboxes.get(deviceId) ?? []).some(
    ({ type, seq }) => type === 'certificate.renew' && seq === undefined,
  );
  if (state !== 'wanted' && !(state === 'asked' && unsent)) return false;
  turn.effects.push({ kind: 'withdraw', deviceId, type: 'certificate.renew', key: '' });
  endRenewal(turn, deviceId);
  return true;
}

export function endRenewal(turn: Turn, deviceId: string): void {
  if (!turn.state.renewals.has(deviceId)) return;
  turn.delete(turn.state.renewals, deviceId);
  turn.write({ kind: 'renewal-removed', deviceId });
  turn.notify({ kind: 'renewal', deviceId, state: 'ended' });
}

/** True when it was not under way already. */
export function wantRenewal(turn: Turn, deviceId: string, cause: RenewalCause): boolean {
  const before = turn.state.renewals.get(deviceId);
  return moveRenewal(turn, deviceId, { kind: 'want', cause }) !== before;
}

/** Every accepted device whose certificate was signed by an issuing authority that signs no more. */
export function wantRotated(turn: Turn): void {
  const { state } = turn;
  for (const [issuer, deviceIds] of devicesByAuthority(state)) {
    if (!isRotatedOut(state, issuer)) continue;
    for (const deviceId of deviceIds) {
      if (state.devices.get(deviceId)?.state === 'accepted') wantRenewal(turn, deviceId, 'rotation');
    }
  }
}

function isRotatedOut(state: CoreState, issuer: string): boolean {
  const authority = state.authorities.get(issuer);
  return authority?.kind === 'issuing' && authority.state !== 'active' && authority.state !== 'requested';
}

/** A device that was let in only now, with a certificate of before a rotation. */
export function wantIfRotated(turn: Turn, deviceId: string, serial: string): void {
  const certificate = turn.state.certificates.get(serial);
  if (certificate === undefined || turn.state.renewals.has(deviceId)) return;
  if (isRotatedOut(turn.state, certificate.issuer)) wantRenewal(turn, deviceId, 'rotation');
}

/** Asks devices that are there, up to the number that may be under way at a time. */
export function stepRenewals(turn: Turn, { inFlight }: RenewalPolicy): void {
  const { state, nowMs } = turn;
  let room = inFlight;
  for (const [deviceId, renewal] of state.renewals) {
    if (isInFlight(renewal, nowMs) && state.live.has(deviceId)) room -= 1;
  }
  for (const [deviceId, renewal] of state.renewals) {
    if (room <= 0) return;
    if (!mayAsk(renewal, nowMs) || !takesRenewal(state, deviceId)) continue;
    const { cause } = moveRenewal(turn, deviceId, { kind: 'ask' });
    const payload = { cause: cause === 'rotation' ? cause : ('operator' as const) };
    turn.effects.push({ kind: 'withdraw', deviceId, type: 'certificate.renew', key: '' });
    const request = { type: 'certificate.renew', key: '', payload, expiresAtMs: nowMs + askExpiresMs } as const;
    turn.effects.push({ kind: 'request', deviceId, request });
    room -= 1;
  }
}

/** It is there, and its agent knows what to do. */
function takesRenewal(state: CoreState, deviceId: string): boolean {
  const device = state.devices.get(deviceId);
  return (
    device !== undefined &&
    isServed(state, deviceId) &&
    isAnnounced({ type: 'certificate.renew', payload: '{}' }, device)
  );
}

/** The device has made a key. What is signed is decided behind this turn: see RenewalSigner. */
export function takeCertificateRequest(turn: Turn, deviceId: string, event: CertificateRequestEvent): void {
  const { state } = turn;
  const live = state.live.get(deviceId);
  if (live === undefined || live.standing !== 'accepted') return; // it asks again once it is let in
  const { renewalId, csr, authoritySha256 } = event;
  const known = state.renewals.get(deviceId);
  if (known?.renewalId === renewalId && known.state === 'requested') return;
  moveRenewal(turn, deviceId, { kind: 'request', renewalId, csr, authoritySha256, renews: live.serial });
}

/** Puts the answer into the outbox. */
export function installCertificate(turn: Turn, deviceId: string, payload: CertificateInstall): void {
  const key = payload.renewalId;
  const request = { type: 'certificate.install', key, payload, expiresAtMs: turn.nowMs + installExpiresMs } as const;
  turn.effects.push({ kind: 'request', deviceId, request });
}

/** What became of it on the device. `installed` says nothing that its connection has not proved already. */
export function takeCertificateOutcome(turn: Turn, deviceId: string, event: CertificateEvent): void {
  if (event.outcome === 'installed') return;
  const reason = event.reason?.message ?? 'the device gives no reason';
  const { state } = turn;
  const known = state.renewals.get(deviceId);
  if (known !== undefined && (known.renewalId === event.renewalId || known.state === 'asked')) {
    moveRenewal(turn, deviceId, { kind: 'fail', reason });
  }
  appendOwnEvent(turn, { deviceId, type: 'coordinator.renewal-failed', key: event.renewalId, payload: { reason } });
  const left = event.serial === undefined ? undefined : state.certificates.get(event.serial);
  const serial = state.live.get(deviceId)?.serial;
  const kept = serial === undefined ? undefined : state.certificates.get(serial);
  if (left?.deviceId !== deviceId || kept === undefined || kept.serial === left.serial) return;
  // It went back: the one that it shows now is in use again, and the key of the other is gone.
  putCertificate(turn, { ...left, replacedBy: kept.serial, replacedAtMs: turn.nowMs });
  if (kept.replacedBy === left.serial) putCertificate(turn, withoutReplacement(kept));
}

/** The device has come in with this certificate: the ones before it are replaced. */
export function proveCertificate(turn: Turn, deviceId: string, serial: string): void {
  const { certificates, serials } = turn.state;
  const certificate = certificates.get(serial);
  if (certificate === undefined || certificate.provenAtMs !== undefined) return;
  putCertificate(turn, { ...certificate, provenAtMs: turn.nowMs });
  if (certificate.renews === undefined) return;
  const replaced = (serials.get(deviceId) ?? [])
    .map((one) => certificates.get(one)!)
    .filter((one) => one.serial !== serial && one.issuedAtMs <= certificate.issuedAtMs && isInUse(one));
  for (const one of replaced) putCertificate(turn, { ...one, replacedBy: serial, replacedAtMs: turn.nowMs });
  endRenewal(turn, deviceId);
  const payload = { serial, replaced: replaced.map((one) => one.serial) };
  appendOwnEvent(turn, { deviceId, type: 'coordinator.certificate-proven', key: serial, payload });
}

/** Sessions that began in an overlap and have outlived it. */
export function cutReplaced(turn: Turn, { overlapMs }: RenewalPolicy): void {
  const { live, certificates } = turn.state;
  for (const [deviceId, { serial }] of live) {
    const { replacedAtMs, replacedBy } = certificates.get(serial) ?? {};
    if (replacedBy === undefined || turn.nowMs < (replacedAtMs ?? 0) + overlapMs) continue;
    cutConnection(turn, deviceId, 'replaced');
  }
}

/** Neither revoked nor replaced. */
export function isInUse({ revokedAtMs, replacedBy }: CertificateRow): boolean {
  return revokedAtMs === undefined && replacedBy === undefined;
}

function withoutReplacement({ replacedBy: _, replacedAtMs: __, ...certificate }: CertificateRow): CertificateRow {
  return certificate;
}
