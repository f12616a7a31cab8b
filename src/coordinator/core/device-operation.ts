import type { AcceptsEvent } from '../../protocol/event.ts';
import {
  firstAuthorityId,
  type CertificateFactsRow,
  type CertificateRow,
  type DeviceRow,
  type HoldRow,
} from '../../store/row.ts';
import { reduceDevice, type DeviceInput } from '../registry/reduce-device.ts';
import { resendConfigs } from './config-operation.ts';
import type { LiveConnection } from './core-state.ts';
import { appendOwnEvent } from './event-operation.ts';
import { grantedBlobs } from './granted-blob.ts';
import { stepJob } from './job-operation.ts';
import { endProductRequests } from './product-request-operation.ts';
import { stepRollout } from './rollout-operation.ts';
import type { Turn } from './turn.ts';

export function putDevice(turn: Turn, device: DeviceRow): void {
  turn.set(turn.state.devices, device.id, device);
  turn.write({ kind: 'device', device });
  turn.notify({ kind: 'device', id: device.id });
}

/** True when something changed. */
export function changeDevice(turn: Turn, deviceId: string, input: DeviceInput): boolean {
  const before = turn.state.devices.get(deviceId);
  if (before === undefined) return false;
  const after = reduceDevice(before, input, turn.nowMs);
  if (after === before) return false;
  putDevice(turn, after);
  return true;
}

/** What the device takes from now on; requests that waited for it leave. */
export function announceTypes(turn: Turn, deviceId: string, event: AcceptsEvent): void {
  changeDevice(turn, deviceId, { kind: 'accepts', event });
  resendConfigs(turn, deviceId); // what expired while it waited
  for (const id of turn.state.jobs.keys()) stepJob(turn, id, { kind: 'announced', deviceId });
  turn.toFlush.add(deviceId);
}

export function putCertificate(turn: Turn, certificate: CertificateRow): void {
  const { certificates, serials } = turn.state;
  const known = serials.get(certificate.deviceId) ?? [];
  if (!known.includes(certificate.serial)) {
    turn.set(serials, certificate.deviceId, [...known, certificate.serial]);
  }
  turn.set(certificates, certificate.serial, certificate);
  if (certificate.revokedAtMs !== undefined) turn.next('revocation');
  turn.write({ kind: 'certificate', certificate });
  if (turn.state.devices.has(certificate.deviceId)) turn.notify({ kind: 'device', id: certificate.deviceId });
}

/** On record from now on, though nobody here has issued it. */
export function shownCertificate(turn: Turn, deviceId: string, facts: CertificateFactsRow): CertificateRow {
  return { ...facts, issuer: facts.issuer ?? firstAuthorityId, deviceId, issuedAtMs: turn.nowMs, pem: '' };
}

/** Accepts a device, and puts a certificate on record that it showed while it waited. `pin`: this history alone. */
export function acceptDevice(turn: Turn, deviceId: string, pin?: string): boolean {
  const candidate = turn.state.devices.get(deviceId)?.candidate;
  if (candidate !== undefined) putCertificate(turn, shownCertificate(turn, deviceId, candidate));
  const changed = changeDevice(turn, deviceId, { kind: 'accept', ...(pin === undefined ? {} : { pin }) });
  if (changed) openConnection(turn, deviceId);
  return changed;
}

/** A device that was accepted while it waited on its control lane goes on with all of them, on the same connection. */
function openConnection(turn: Turn, deviceId: string): void {
  const { state } = turn;
  const live = state.live.get(deviceId);
  if (live === undefined) return;
  const pin = state.devices.get(deviceId)?.pin;
  if (pin !== undefined && live.instanceId !== pin) return cutLive(turn, live, 'quarantined');
  if (live.standing === 'accepted') return;
  const certificate = state.certificates.get(live.serial);
  const proved = certificate?.deviceId === deviceId && certificate.revokedAtMs === undefined;
  const known = (state.outboxes.get(deviceId) ?? []).some(({ seq }) => seq !== undefined);
  if (!proved || (live.standing === 'pending' && known)) {
    // What it has committed of earlier requests was not asked: it says so when it comes back.
    turn.afterCommit((gateway) => gateway.close(live.connection, 'closed'));
    return;
  }
  turn.set(state.live, deviceId, { ...live, standing: 'accepted' });
  turn.afterCommit((gateway) => gateway.open(live.connection));
  for (const sha256 of grantedBlobs(state, deviceId)) {
    turn.afterCommit((gateway) => gateway.grantBlob(live.connection, sha256));
  }
  appendOwnEvent(turn, { deviceId, type: 'coordinator.opened', key: '', payload: { was: live.standing } });
  turn.toFlush.add(deviceId);
  resendConfigs(turn, deviceId);
  for (const id of state.jobs.keys()) stepJob(turn, id, { kind: 'connected', deviceId });
  for (const id of state.rollouts.keys()) stepRollout(turn, id, { kind: 'presence', deviceId });
}

/** Keeps a device to its control lane: what it has open is closed, and it comes back held. True when it was not so. */
export function quarantineDevice(turn: Turn, deviceId: string, hold: Omit<HoldRow, 'atMs'>): boolean {
  const changed = changeDevice(turn, deviceId, { kind: 'quarantine', hold });
  if (changed) cutConnection(turn, deviceId, 'quarantined');
  return changed;
}

/** Ends the device's connection after the commit. True when there was one. */
export function cutConnection(turn: Turn, deviceId: string, reason: string): boolean {
  const live = turn.state.live.get(deviceId);
  if (live === undefined) return false;
  cutLive(turn, live, reason);
  return true;
}

function cutLive(turn: Turn, { connection }: LiveConnection, reason: string): void {
  turn.afterCommit((gateway) => gateway.close(connection, reason));
}

/** Out of the registry, with its requests and histories. Its certificates stay on record, so that they stay revocable. */
export function removeDevice(turn: Turn, deviceId: string): void {
  const { state } = turn;
  cutConnection(turn, deviceId, 'removed');
  for (const id of state.jobs.keys()) stepJob(turn, id, { kind: 'removed', deviceId });
  for (const id of state.rollouts.keys()) stepRollout(turn, id, { kind: 'removed', deviceId });
  turn.delete(state.live, deviceId);
  const instanceId = state.devices.get(deviceId)?.instanceId;
  const cursor = instanceId === undefined ? undefined : state.cursors.get(deviceId)?.get(instanceId);
  turn.delete(state.devices, deviceId);
  // What is stored of its last history stays known: a device that is let in again must not write it once more.
  if (instanceId === undefined || cursor === undefined) turn.delete(state.cursors, deviceId);
  else turn.set(state.cursors, deviceId, new Map([[instanceId, cursor]]));
  const outbox = state.outboxes.get(deviceId) ?? [];
  for (const row of outbox) {
    const outcome = row.seq === undefined ? 'expired' : 'unknown';
    endProductRequests(turn, deviceId, [row], { outcome, reason: 'the device was removed' });
  }
  turn.delete(state.outboxes, deviceId);
  turn.delete(state.requestSeqs, deviceId);
  turn.delete(state.configs, deviceId);
  turn.delete(state.deviceLogs, deviceId);
  turn.delete(state.laneTimes, deviceId);
  turn.delete(state.boundGrains, deviceId);
  turn.delete(state.renewals, deviceId);
  const probe = state.probes.get(deviceId);
  if (probe !== undefined) {
    const refusal = { code: 'unknown-device', retryAfterMs: 0, detail: 'removed' } as const;
    turn.afterCommit((gateway) => gateway.refuse(probe.newer.connection, refusal));
    turn.delete(state.probes, deviceId);
  }
  turn.write({ kind: 'device-removed', deviceId, ...(instanceId === undefined ? {} : { instanceId }) });
  turn.notify({ kind: 'device-removed', id: deviceId });
}
